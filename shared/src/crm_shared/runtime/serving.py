"""A service's application in one process, from settings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from crm_shared.bus.announcing import announcing
from crm_shared.clock import Clock, SystemClock
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.http.app import create_app, provide
from crm_shared.http.auth import TokenVerifier
from crm_shared.http.call import Services
from crm_shared.observability.vitals import VITALS
from crm_shared.runtime.readiness import Migrated
from crm_shared.runtime.service import Service
from crm_shared.settings import ServiceSettings


def make_app(service: Service, settings: ServiceSettings, *, clock: Clock | None = None) -> FastAPI:
    """The service's application; its lifespan opens and closes the database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opened(app, service, settings, clock=clock):
            yield

    async def database() -> None:
        services: Services = app.state.services
        await services.database.ping()

    checks = {"database": database, "migrations": Migrated(service.schema, settings.database_url)}
    app = create_app(service.title, service.routers, service=service.name, lifespan=lifespan, checks=checks)
    return app  # a check speaks of it


@asynccontextmanager
async def opened(
    app: FastAPI, service: Service, settings: ServiceSettings, *, clock: Clock | None = None
) -> AsyncGenerator[Database]:
    """Open what the application's calls need, for as long as the block lasts."""
    database = await Database.open(
        settings.database_url, service.name, size=settings.api_pool_size, flush=flush_outbox, plans="auto"
    )
    provide(
        app,
        Services(
            database=database,
            clock=clock or SystemClock(),
            verifier=TokenVerifier(settings.internal_jwks, audience=service.name),
            cursor_secret=settings.cursor_secret or settings.database_url,
            operation_prefix=service.operation_prefix,
            resources=_resources(service, settings),
        ),
    )
    try:
        async with VITALS.beating(), announcing(database, settings.database_url, wanted=settings.announce_commits):
            yield database
    finally:
        await database.close()


def _resources(service: Service, settings: ServiceSettings) -> dict[str, Any]:
    return {name: make(settings) for name, make in service.resources.items()}
