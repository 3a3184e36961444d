"""What a machine asks every few seconds: is it alive, is it ready, what has it counted. Never through the gateway."""

from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from crm_shared.observability.health import Check, examined, is_well
from crm_shared.observability.metrics import exposition


def add_health(app: FastAPI, checks: Mapping[str, Check]) -> None:
    """`/livez`, `/readyz` and `/metrics`."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        parts = await examined(checks)
        well = is_well(parts)
        body = orjson.dumps({"ready": well, "parts": parts}, option=orjson.OPT_APPEND_NEWLINE)
        return Response(body, 200 if well else 503, media_type="application/json")

    async def metrics(_: Request) -> Response:
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)

    for path, handler in {"/livez": livez, "/readyz": readyz, "/metrics": metrics}.items():
        app.add_route(path, handler, include_in_schema=False)
