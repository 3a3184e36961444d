"""`python -m crm_gateway api | worker | migrate | revision | contracts | merge`."""

import sys
from pathlib import Path

import orjson
import uvicorn
from prometheus_client import start_http_server

from crm_gateway.app import SERVICE
from crm_gateway.gateway import create_gateway, merged_document
from crm_gateway.proxy.http_upstream import HttpUpstream
from crm_gateway.settings import GatewaySettings
from crm_shared.observability.logs import configure_logs
from crm_shared.runtime import main

_MERGED = Path(__file__).parent / "openapi" / "merged.json"


def _serve() -> None:
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] # the environment fills it
    configure_logs(settings.log_level)
    if settings.metrics_port:
        start_http_server(settings.metrics_port)
    upstreams = {name: HttpUpstream(base) for name, base in settings.upstreams.items()}
    uvicorn.run(
        create_gateway(settings, upstreams),
        host=settings.host,
        port=settings.port,
        http="httptools",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
    )


def _merge(folders: list[str]) -> None:
    """Writes the merged document from each service's `contracts/openapi.json`; a folder is named as its service is."""
    found = {Path(folder).resolve().name: Path(folder) / "contracts" / "openapi.json" for folder in folders}
    documents = {name: orjson.loads(path.read_bytes()) for name, path in sorted(found.items())}
    _MERGED.write_bytes(orjson.dumps(merged_document(documents), option=orjson.OPT_INDENT_2) + b"\n")


match sys.argv[1:]:
    case ["api"]:
        _serve()
    case ["merge", *folders]:
        _merge(folders)
    case _:
        main(SERVICE)
