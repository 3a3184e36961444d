"""A service under test: its real application over a real database, driven by hand instead of by endless loops."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
from fastapi import FastAPI

from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import Intake
from crm_shared.bus.port import Delivered
from crm_shared.bus.sequencing import Incoming
from crm_shared.db.due import run_due
from crm_shared.db.operations import run_one_operation
from crm_shared.db.outbox import ROOM, flush_outbox, outbox_has_room
from crm_shared.db.pool import Database, Tx, prepare_connection
from crm_shared.events import Envelope, aggregate_of
from crm_shared.http.auth import TokenSigner
from crm_shared.http.router import StrictRoute
from crm_shared.ids import new_id
from crm_shared.runtime.service import Service
from crm_shared.runtime.serving import make_app, opened
from crm_shared.settings import ServiceSettings
from crm_shared.tenancy import Viewer
from crm_shared.testing.clock import ManualClock
from crm_shared.testing.cluster import Cluster, Databases

_OF_OTHERS = "DELETE FROM outbox WHERE tenant_id NOT IN (SELECT tenant_id FROM operation WHERE finished_at IS NULL)"

SIGNER = TokenSigner.generate()
"""Signs what a gateway would sign; every kit's service believes it."""


@dataclass(slots=True)
class ServiceKit:
    """One service in the hands of a test. Tests share its database and keep apart by taking a fresh tenant each."""

    service: Service
    app: FastAPI
    database: Database
    worker: Database
    urls: Databases
    settings: ServiceSettings
    clock: ManualClock
    _sequences: dict[tuple[UUID, str, UUID], int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    @asynccontextmanager
    async def started(
        cls, service: Service, cluster: Cluster, *, clock: ManualClock | None = None
    ) -> "AsyncGenerator[ServiceKit]":
        """The service over a fresh database; several that work together share a clock."""
        urls = await cluster.database(service.schema)
        settings = ServiceSettings(
            database_url=urls.app,
            worker_database_url=urls.worker,
            owner_database_url=urls.owner,
            internal_jwks=SIGNER.public_jwks(),
            cursor_secret="for tests",  # noqa: S106 # guards nothing here
        )
        clock = clock or ManualClock()
        app = make_app(service, settings, clock=clock)
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(opened(app, service, settings, clock=clock))
            worker = await Database.open(urls.worker, service.name, size=4, flush=flush_outbox)
            stack.push_async_callback(worker.close)
            yield cls(service, app, database, worker, urls, settings, clock)

    def tenant(self) -> UUID:
        """A tenant nobody else uses."""
        return new_id()

    @property
    def all_scopes(self) -> frozenset[str]:
        """Every scope that some route of the service needs."""
        return frozenset(route.scope for route in self.app.routes if isinstance(route, StrictRoute) and route.scope)

    def viewer(self, tenant: UUID, *scopes: str, subject: str = "usr_test", partner: str | None = None) -> Viewer:
        """A principal; without scopes named it holds all."""
        return Viewer(tenant, subject, frozenset(scopes) or self.all_scopes, partner=partner)

    @asynccontextmanager
    async def client(
        self, tenant: UUID, *scopes: str, subject: str = "usr_test", partner: str | None = None
    ) -> AsyncGenerator[httpx.AsyncClient]:
        """An HTTP client of the application as this principal."""
        viewer = self.viewer(tenant, *scopes, subject=subject, partner=partner)

        async def sign(request: httpx.Request) -> None:
            token = SIGNER.sign(viewer, audience=self.service.name, now=self.clock.now())
            request.headers.setdefault("authorization", f"Bearer {token}")

        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://service", event_hooks={"request": [sign]}
        ) as client:
            yield client

    def transaction(self, tenant: UUID) -> AbstractAsyncContextManager[Tx]:
        """A transaction of this tenant, as the app role."""
        return self.database.transaction(tenant)

    async def deliver(
        self,
        tenant: UUID,
        event_type: str,
        aggregate_id: UUID,
        data: Mapping[str, Any],
        *,
        at: datetime | None = None,
    ) -> Envelope:
        """Have the service apply one foreign event, as its consumer would."""
        key = (tenant, aggregate_of(event_type), aggregate_id)
        self._sequences[key] += 1
        envelope = Envelope(
            id=new_id(),
            type=event_type,
            source="test",
            subject=str(aggregate_id),
            time=at or self.clock.now(),
            tenant=tenant,
            aggregate_id=aggregate_id,
            epoch=0,
            sequence=self._sequences[key],
            traceparent=None,
            data=orjson.dumps(data, default=str).decode(),
        )
        await self.apply([envelope])
        return envelope

    async def apply(self, envelopes: Iterable[Envelope]) -> None:
        """Apply foreign events as the consumer does, through inbox and sequence; a handler's error is raised."""
        taps = self.service.taps(self.settings.purge_after)
        effects = Effects(self.service.projections, self.service.reactions, self.clock, taps=taps)
        intake = Intake(self.worker, effects, self.clock)
        for envelope in envelopes:
            delivered = Delivered(envelope.topic, envelope.key, envelope.to_bytes(), {}, 0, 0, envelope.time)
            in_sequence = effects.in_sequence(envelope.topic)
            await intake.apply(envelope.tenant, [Incoming(delivered, envelope, in_sequence)])

    async def events(self, tenant: UUID, *event_types: str) -> list[Envelope]:
        """What the service has emitted for this tenant (of these types), oldest first."""
        connection = await asyncpg.connect(self.urls.admin)
        try:
            await prepare_connection(connection)
            rows = await connection.fetch(
                "SELECT event_id, type, subject, created_at, tenant_id, aggregate_id, epoch, seq, traceparent, data "
                "FROM outbox WHERE tenant_id = $1 ORDER BY id",
                tenant,
            )
        finally:
            await connection.close()
        found = [
            Envelope(
                row["event_id"], row["type"], self.service.name, row["subject"], row["created_at"], row["tenant_id"],
                row["aggregate_id"], row["epoch"], row["seq"], row["traceparent"], row["data"],
            )
            for row in rows
        ]  # fmt: skip
        return [event for event in found if not event_types or event.type in event_types]

    async def run_timers(self, *, now: datetime | None = None) -> int:
        """Carry out all work that is due now (or at `now`); says how many pieces."""
        timers, count = self.service.timers, 0
        while done := await run_due(self.worker, timers, now=now or self.clock.now()):
            count += done
        return count

    async def run_jobs(self) -> int:
        """Carry out all queued operations; says how many.

        Bulk writers wait for room in the outbox, and no relay runs here: what tests before have left there goes first.
        """
        jobs, count = self.service.jobs, 0
        if not await outbox_has_room(self.worker, ROOM // 2):
            async with self.worker.across() as tx:
                await tx.connection.execute(_OF_OTHERS)
        while await run_one_operation(self.worker, jobs, self.clock):
            count += 1
        return count
