"""The whole suite in one process, before a real gateway and over real PostgreSQL, its events carried by hand."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from crm_contact_center.routing.dispatcher import Dispatcher
from crm_gateway.gateway import Gateway, create_gateway
from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.proxy.endless import is_endless
from crm_gateway.proxy.upstream import UpstreamRequest
from crm_gateway.settings import GatewaySettings
from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import Intake
from crm_shared.bus.port import Delivered
from crm_shared.bus.sequencing import Incoming
from crm_shared.db.pool import Database, prepare_connection
from crm_shared.events import Envelope
from crm_shared.testing.clock import ManualClock
from crm_shared.testing.cluster import Cluster, Databases
from crm_shared.testing.kit import SIGNER, ServiceKit
from crm_suite.topology import GATEWAY, load_suite

JSON = "application/json"
_OUTBOX = (
    "SELECT event_id, type, $1::text, subject, created_at, tenant_id, aggregate_id, epoch, seq, traceparent, data, id "
    "FROM outbox WHERE id > $2 ORDER BY id"
)


@dataclass(frozen=True)
class Answer:
    """What came back through the door."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body[:300].decode(errors='replace')}"


@dataclass
class Stage:
    """Everything that runs. `databases` has all five, by service name."""

    gateway: Gateway
    kits: dict[str, ServiceKit]
    databases: dict[str, Databases]
    clock: ManualClock
    dispatcher: Dispatcher
    _door: AsgiUpstream = field(init=False)
    _carried: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self._door = AsgiUpstream(self.gateway)

    async def ask(
        self, method: str, path: str, *, key: str | None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request through the gateway; a body of bytes is sent as it is, any other as JSON."""
        sent = dict(headers or {})
        content = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        if content is not None:
            sent.setdefault("content-type", JSON)
            sent["content-length"] = str(len(content))
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        lines = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
        return await _asked(self._door, UpstreamRequest(method, path.encode("ascii"), lines, content))

    async def ask_service(self, service: str, method: str, path: str, *, token: str | None) -> Answer:
        """One request straight to a service, round the gateway, with an internal token."""
        lines = [] if token is None else [(b"authorization", b"Bearer " + token.encode("utf-8", "surrogatepass"))]
        upstream = AsgiUpstream(self.kits[service].app)
        return await _asked(upstream, UpstreamRequest(method, path.encode("ascii"), lines, None))

    @property
    def own(self) -> Database:
        """The gateway's own database as its process sees it."""
        assert self.gateway.database is not None
        return self.gateway.database

    async def settle(self) -> None:
        """Carry events, run due timers, jobs and offers, until nothing moves at this moment."""
        while await self._carry() + await self._work():
            pass

    async def _carry(self) -> int:
        moved = 0
        for name, urls in self.databases.items():
            connection = await asyncpg.connect(urls.admin)
            try:
                await prepare_connection(connection)
                rows = await connection.fetch(_OUTBOX, name, self._carried.get(name, 0))
            finally:
                await connection.close()
            if rows:
                self._carried[name] = rows[-1]["id"]
                await self.deliver([Envelope(*tuple(row)[:-1]) for row in rows])
            moved += len(rows)
        return moved

    async def deliver(self, envelopes: list[Envelope]) -> None:
        """Hand events to every service that reads their topics, as its consumer would."""
        for kit in self.kits.values():
            service = kit.service
            taps = service.taps(kit.settings.purge_after)
            effects = Effects(service.projections, service.reactions, self.clock, taps=taps)
            intake = Intake(kit.worker, effects, self.clock)
            by_tenant: dict[Any, list[Incoming]] = {}
            for envelope in envelopes:
                if envelope.topic in effects.topics:
                    record = Delivered(envelope.topic, envelope.key, envelope.to_bytes(), {}, 0, 0, envelope.time)
                    incoming = Incoming(record, envelope, effects.in_sequence(envelope.topic))
                    by_tenant.setdefault(envelope.tenant, []).append(incoming)
            for tenant, items in by_tenant.items():
                await intake.apply(tenant, items)

    async def _work(self) -> int:
        done = await self.dispatcher.round()
        for kit in self.kits.values():
            done += await kit.run_timers() + await kit.run_jobs()
        return done


async def _asked(upstream: AsgiUpstream, request: UpstreamRequest) -> Answer:
    received = bytearray()
    async with upstream.exchange(request) as response:
        while chunk := await response.read():
            received += chunk
            if is_endless(response.headers):
                break  # there is no end to wait for
    told = {name.decode(): value.decode() for name, value in response.headers}
    return Answer(response.status, told, bytes(received))


@asynccontextmanager
async def on_stage(cluster: Cluster) -> AsyncGenerator[Stage]:
    """The suite, for as long as the block lasts."""
    clock = ManualClock()
    suite = load_suite()
    async with AsyncExitStack() as stack:
        kits = {
            service.name: await stack.enter_async_context(ServiceKit.started(service, cluster, clock=clock))
            for service in suite.behind
        }
        own = await cluster.database(suite.gateway.schema)
        settings = GatewaySettings(
            database_url=own.app,
            internal_private_jwk=SIGNER.private_jwk(),
            cursor_secret="for tests",  # guards nothing here
            access_log=False,
            rate_quota=10_000_000,
            bulk_quota=10_000_000,
            public_quota=10_000_000,
            login_quota=10_000_000,
        )
        upstreams = {name: AsgiUpstream(kit.app) for name, kit in kits.items()}
        gateway = create_gateway(settings, upstreams, clock=clock)
        await stack.enter_async_context(gateway.running())
        databases = {GATEWAY: own} | {name: kit.urls for name, kit in kits.items()}
        dispatcher = Dispatcher(kits["contact-center"].worker, clock)
        yield Stage(gateway, kits, databases, clock, dispatcher)
