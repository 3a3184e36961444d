"""A service that does nothing, well on one route and badly on another: the kernel's application without a database."""

import os
from typing import Annotated, Any

import orjson
from fastapi import Response

from crm_shared.clock import SystemClock
from crm_shared.http.app import create_app, provide
from crm_shared.http.auth import TokenVerifier
from crm_shared.http.call import Call, Services, needs
from crm_shared.http.router import Router
from crm_shared.runtime.http_server import serve
from crm_shared.settings import ServiceSettings

NAME = "tiny"
PATH = "/v1/tiny"
_SCOPE = "tiny:read"
_BODY = orjson.dumps({"hello": "world"})

router = Router(prefix=PATH, tag=NAME)


@router.get("")
async def get(call: Annotated[Call, needs(_SCOPE)]) -> Response:
    return Response(_BODY, media_type="application/json")


@router.get("/failing")
async def fail(call: Annotated[Call, needs(_SCOPE)]) -> Response:
    return Response(status_code=503)


def document() -> dict[str, Any]:
    """What the gateway has to know of it."""
    return create_app("Tiny", [router], service=NAME).openapi()


def application() -> Any:
    """The application, from the environment."""
    app = create_app("Tiny", [router], service=NAME)
    verifier = TokenVerifier(orjson.loads(os.environ["INTERNAL_JWKS"]), audience=NAME)
    nowhere: Any = None
    provide(app, Services(nowhere, SystemClock(), verifier, "", "optin"))
    return app


if __name__ == "__main__":
    serve(application, ServiceSettings())  # pyright: ignore[reportCallIssue] # the environment fills it
