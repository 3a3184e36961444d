"""`python -m crm_gateway api | worker | provision | migrate | operator-key | revision | contracts | merge`."""

import sys
from pathlib import Path

import orjson

from crm_gateway.app import SERVICE
from crm_gateway.gateway import merged_document
from crm_gateway.serving import serve_gateway
from crm_shared.runtime import main

_MERGED = Path(__file__).parent / "openapi" / "merged.json"


def _merge(folders: list[str]) -> None:
    """Writes the merged document from each service's `contracts/openapi.json`; a folder is named as its service is."""
    found = {Path(folder).resolve().name: Path(folder) / "contracts" / "openapi.json" for folder in folders}
    documents = {name: orjson.loads(path.read_bytes()) for name, path in sorted(found.items())}
    _MERGED.write_bytes(orjson.dumps(merged_document(documents), option=orjson.OPT_INDENT_2) + b"\n")


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
