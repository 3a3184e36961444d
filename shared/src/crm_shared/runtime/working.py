"""A service's worker in one process, from settings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from crm_shared.bus.announcing import announcing
from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import Bus
from crm_shared.clock import Clock, SystemClock
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.observability.vitals import VITALS
from crm_shared.runtime.readiness import of_database, of_worker
from crm_shared.runtime.service import Service
from crm_shared.runtime.worker import Worker
from crm_shared.settings import ServiceSettings


@asynccontextmanager
async def working(
    service: Service, settings: ServiceSettings, *, bus: Bus | None = None, clock: Clock | None = None
) -> AsyncGenerator[Worker]:
    """A running worker of the service, for as long as the block lasts."""
    database = await Database.open(
        settings.worker_database_url, service.name, size=settings.worker_pool_size, flush=flush_outbox
    )
    own_bus = bus is None
    line = bus or await open_bus(settings.bus_url)
    worker = Worker(service, database, line, clock or SystemClock(), settings=settings)
    topics = [*service.topics_published, *service.topics_consumed]
    own = of_database(database, service.schema, settings.worker_database_url)
    worker.checks = {**own, **of_worker(worker, line, topics)}
    try:
        await line.ensure_topics(topics)
        worker.start()
        # What a reaction commits may be another worker's to publish.
        async with (
            VITALS.beating(),
            announcing(database, settings.worker_database_url, wanted=settings.announce_commits),
        ):
            yield worker
    finally:
        await worker.stop()
        if own_bus:
            await line.aclose()
        await database.close()
