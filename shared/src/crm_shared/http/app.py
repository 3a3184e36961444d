"""The app factory: one FastAPI application from a service's routers, with every convention installed."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from crm_shared.http import operations, parked_events
from crm_shared.http.call import Services
from crm_shared.http.dispatch import Dispatcher
from crm_shared.http.health import add_health
from crm_shared.http.middleware import Conversation
from crm_shared.http.openapi import describe, tags_of
from crm_shared.http.presence import Presence
from crm_shared.http.problems import install_problems
from crm_shared.http.router import Router
from crm_shared.observability.health import Check


def create_app(
    title: str,
    routers: Iterable[Router],
    *,
    service: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    checks: Mapping[str, Check] | None = None,
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
    add_health(app, checks if checks is not None else {})
    app.openapi = lambda: describe(app)
    app.middleware_stack = Presence(Conversation(Dispatcher(app, app.build_middleware_stack()), service))
    return app


def provide(app: FastAPI, services: Services) -> None:
    """Give the application what its calls need."""
    app.state.services = services
