"""Servers that go away under load, and transactions that stay: the bus, the services' PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
from pydantic import BaseModel
from tests.bench.figures import Figure, at_most

from crm_shared.bus.handlers import Received
from crm_shared.bus.opening import open_bus
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database, Tx
from crm_shared.ids import new_id
from crm_shared.testing.bus import Line, until
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import SERVICE, NoteWritten

from .checker import Outcome, at_rest, examine, longest_lag_s, recovering
from .load import load, percentile
from .stage import Stage, crash

_CALLERS = 4
_LEDGER = """
CREATE TABLE ledger (
    nth bigint GENERATED ALWAYS AS IDENTITY, aggregate_id uuid, seq bigint, number bigint,
    at timestamptz DEFAULT clock_timestamp()
);
CREATE TABLE balance (aggregate_id uuid PRIMARY KEY, total bigint);
GRANT ALL ON ledger TO PUBLIC;
"""
_COMMITTED = "CREATE VIEW committed AS SELECT id AS aggregate_id, title::bigint AS number, created_at AS at FROM note"


async def bus_down(stage: Stage) -> Outcome:
    """The bus's server is killed under 200 writes a second and started again; no write waits for it."""
    async with stage.own_server() as server, stage.line(bus_url=server.url) as played:
        line = played.line
        line.count_in_ledger()
        relay, consumer = line.relay(), line.consumer()
        line.begin(relay)
        line.begin(consumer)
        async with load(played) as writers:
            await until(lambda: _applied(line, 50))
            writers.took_s.clear()
            await asyncio.sleep(stage.scale.load_s)
            before_s = percentile(writers.took_s, 99)
            await asyncio.to_thread(server.kill)
            writers.took_s.clear()
            await asyncio.sleep(stage.scale.down_s)
            meanwhile_s = percentile(writers.took_s, 99)
            waiting = len(await line.ask(0, "SELECT 1 FROM outbox"))
            await asyncio.to_thread(server.start)
            async with recovering(line) as watch:
                await asyncio.sleep(stage.scale.load_s)
                await writers.end()
        await consumer.stop()
        await relay.stop()
        more = [
            Figure("write p99 before", before_s * 1_000, "ms"),
            Figure("write p99 while it is down", meanwhile_s * 1_000, "ms", at_most(250)),
        ]
        return Outcome(await examine(line), waiting, recovery_s=watch.recovery_s, drain_s=watch.drain_s, more=more)


async def long_transactions(stage: Stage) -> Outcome:
    """Transactions that have written stay open meanwhile: in another database, in the producer's, the consumer's."""
    async with stage.line() as played, AsyncExitStack() as stack:
        line = played.line
        line.count_in_ledger()
        relay, consumer = line.relay(), line.consumer()
        line.begin(relay)
        line.begin(consumer)
        await line.write(played.tenant, played.items[0], 1)
        await until(lambda: _applied(line, 1))  # partitions and slots are dealt
        xids = [
            await stack.enter_async_context(_open_transaction(url))
            for url in (await stage.cluster.bare(), line.urls[0].admin, line.urls[1].admin)
        ]
        since = (await line.ask(0, "SELECT clock_timestamp() AS now"))[0]["now"]
        async with load(played):
            await asyncio.sleep(stage.scale.load_s)
        await at_rest(line)
        lag_s = await longest_lag_s(line, since=since)
        await consumer.stop()
        await relay.stop()
        return Outcome(await examine(line), len(set(xids)), more=[Figure("delivery", lag_s, "s", at_most(1))])


@asynccontextmanager
async def _open_transaction(url: str) -> AsyncGenerator[int]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            yield await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
    finally:
        await connection.close()


async def database_restarted(stage: Stage) -> Outcome:
    """The services' PostgreSQL is shut down at once under HTTP writes: what was answered 2xx is there, and applied."""
    async with _services(stage) as (cluster, kit, line, tenant):
        relay, consumer = line.relay(), line.consumer()
        line.begin(relay)
        line.begin(consumer)
        callers = _Callers(kit, tenant)
        callers.begin()
        for _ in range(stage.scale.restarts):
            await callers.more(50)
            await asyncio.to_thread(crash, cluster.server)
            await asyncio.to_thread(cluster.server.start)
            await callers.more(50)
        await callers.end()
        async with recovering(line) as watch:
            await callers.one_more()
        await consumer.stop()
        await relay.stop()
        kept = {row["number"] for row in await line.ask(0, "SELECT number FROM committed")}
        findings = await examine(line)
        findings = replace(findings, lost=findings.lost + len(callers.answered - kept))
        more = [Figure("answers that are neither 201 nor 503", len(callers.odd), "", at_most(0))]
        return Outcome(findings, callers.refused, drain_s=watch.drain_s, more=more)


class _Written(BaseModel):
    title: int


@asynccontextmanager
async def _services(stage: Stage) -> AsyncGenerator[tuple[Cluster, ServiceKit, Line, UUID]]:
    """The probe's HTTP service and a consumer of its events, on a PostgreSQL of the row's own."""
    folder = Path(stage.folder) / f"services-{stage.adapter}"
    # A commit is written before it is answered; only the wait for the disk itself is spared.
    server = EmbeddedPostgres(folder / "pg", careless=True, settings={"synchronous_commit": "on"})
    await asyncio.to_thread(server.start)
    cluster, tenant = Cluster(server), new_id()
    bus = await open_bus(await cluster.bare() if stage.adapter == "log" else stage.bus_url)
    try:
        async with ServiceKit.started(SERVICE, cluster) as kit:
            urls = (kit.urls, await cluster.database(SERVICE.schema))
            for url, tables in ((urls[0].admin, _COMMITTED), (urls[1].admin, _LEDGER)):
                admin = await asyncpg.connect(url)
                await admin.execute(tables)
                await admin.close()
            consuming = await Database.open(urls[1].worker, SERVICE.name, size=4, flush=flush_outbox)
            line = Line(bus, kit.worker, consuming, urls, f"note-{new_id().hex[-12:]}", NoteWritten, NoteWritten)

            async def write_down(tx: Tx, event: Received[_Written], *, now: datetime) -> None:
                if event.tenant == tenant:  # the topic is no line's own
                    await tx.connection.execute(
                        "INSERT INTO ledger (aggregate_id, seq, number) VALUES ($1, $2, $3)",
                        event.aggregate_id, event.sequence, event.data.title,
                    )  # fmt: skip

            line.reactions.on(NoteWritten.TYPE, _Written)(write_down)
            await bus.ensure_topics([line.topic])
            yield cluster, kit, line, tenant
            for end in reversed(line.stack):
                await end()
            await consuming.close()
    finally:
        await bus.aclose()
        await asyncio.to_thread(cluster.stop)


class _Callers:
    """HTTP clients that write notes one after the other, whatever they are answered."""

    def __init__(self, kit: ServiceKit, tenant: UUID) -> None:
        self._kit = kit
        self._tenant = tenant
        self._next = 0
        self._running: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self.answered: set[int] = set()
        self.refused = 0
        self.odd: list[int] = []

    def begin(self) -> None:
        self._running = [asyncio.create_task(self._call_on()) for _ in range(_CALLERS)]

    async def more(self, count: int) -> None:
        wanted = len(self.answered) + count

        async def enough() -> bool:
            return len(self.answered) >= wanted

        await until(enough)

    async def one_more(self) -> None:
        async with self._kit.client(self._tenant) as client:
            await self._call(client)

    async def end(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._running)

    async def _call_on(self) -> None:
        async with self._kit.client(self._tenant) as client:
            while not self._stop.is_set():
                await self._call(client)
                await asyncio.sleep(0.005)

    async def _call(self, client: httpx.AsyncClient) -> None:
        self._next += 1
        number = self._next
        answer = await client.post("/v1/notes", json={"title": str(number)}, headers={"Idempotency-Key": str(new_id())})
        if answer.status_code == 201:
            self.answered.add(number)
        elif answer.status_code == 503:
            self.refused += 1
        else:
            self.odd.append(answer.status_code)


async def _applied(line: Line, count: int) -> bool:
    return (await line.ask(1, "SELECT count(*) AS n FROM ledger"))[0]["n"] >= count
