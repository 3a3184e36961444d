"""`python -m crm_gateway api | worker | provision | migrate | operator-key | revision | contracts | merge`."""

import sys
from pathlib import Path

import orjson

from crm_gateway.app import SERVICE
from crm_gateway.gateway import merged_document
from crm_gateway.serving import serve_gateway
from crm_gateway.subscriptions.catalogue import kinds_in
from crm_shared.runtime import main
from crm_shared.runtime.asyncapi import asyncapi

_MERGED = Path(__file__).parent / "openapi" / "merged.json"
_CATALOGUE = Path(__file__).parent / "subscriptions" / "catalogue.json"


def _merge(folders: list[str]) -> None:
    """Writes what is known of all services from each one's `contracts`; a folder is named as its service is.

    The merged document is for those who ask; the catalogue of events, for those who are told.
    """
    found = {Path(folder).resolve().name: Path(folder) / "contracts" for folder in sorted(folders)}
    documents = {name: orjson.loads((folder / "openapi.json").read_bytes()) for name, folder in found.items()}
    _MERGED.write_bytes(orjson.dumps(merged_document(documents), option=orjson.OPT_INDENT_2) + b"\n")
    told = {name: orjson.loads((folder / "asyncapi.json").read_bytes()) for name, folder in found.items()}
    kinds = kinds_in({SERVICE.name: asyncapi(SERVICE), **told})
    _CATALOGUE.write_bytes(orjson.dumps(kinds, option=orjson.OPT_INDENT_2) + b"\n")


match sys.argv[1:]:
    case ["api"]:
        serve_gateway()
    case ["merge", *folders]:
        _merge(folders)
    case ["operator-key", *words]:
        from crm_gateway.operator_key import print_operator_key

        print_operator_key(words)
    case _:
        main(SERVICE)
