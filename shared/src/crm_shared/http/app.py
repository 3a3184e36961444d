"""The app factory: one FastAPI application from a service's routers, with every convention installed."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from crm_shared.errors import Unavailable
from crm_shared.http import operations, parked_events
from crm_shared.http.call import Services
from crm_shared.http.dispatch import Dispatcher
from crm_shared.http.middleware import Conversation
from crm_shared.http.openapi import describe, tags_of
from crm_shared.http.presence import Presence
from crm_shared.http.problems import install_problems, problem
from crm_shared.http.router import Router
from crm_shared.observability.metrics import exposition

Check = Callable[[], Awaitable[None]]
"""Raises when the process isn't ready."""


def create_app(
    title: str,
    routers: Iterable[Router],
    *,
    service: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    ready: Check | None = None,
) -> FastAPI:
    """The application of one service; `app.state.services` must hold a `Services` before the first request."""
    app = FastAPI(
        title=title, version="1", docs_url=None, redoc_url=None, lifespan=lifespan, openapi_url="/openapi.json"
    )
    every = (*routers, operations.router, parked_events.router)
    app.openapi_tags = tags_of(every)
    for router in every:
        # The routes carry their full path and conventions; including the router would wrap each of them once more.
        app.router.routes.extend(router.routes)
    install_problems(app)
    _health(app, ready)
    app.openapi = lambda: describe(app)
    app.middleware_stack = Presence(Conversation(Dispatcher(app, app.build_middleware_stack()), service))
    return app


def provide(app: FastAPI, services: Services) -> None:
    """Give the application what its calls need."""
    app.state.services = services


def _health(app: FastAPI, ready: Check | None) -> None:
    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        try:
            if ready is not None:
                await ready()
        except Exception as error:  # noqa: BLE001 # whatever is wrong, the answer is: not ready
            return problem(request, Unavailable(f"Not ready: {type(error).__name__}.", code="not_ready"))
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)

    handlers: dict[str, Any] = {"/livez": livez, "/readyz": readyz, "/metrics": metrics}
    for path, handler in handlers.items():
        app.add_route(path, handler, include_in_schema=False)
