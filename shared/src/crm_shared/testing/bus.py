"""Two ends of a line, a producing and a consuming database with a bus between, to test what the backbone promises.

The effects are not idempotent on purpose: a ledger without a unique key and a balance that is added to show it when
an event is applied twice, left out, or applied out of order.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from crm_shared.bus.consumer import Consumer
from crm_shared.bus.effects import Effects
from crm_shared.bus.handlers import Projections, Reactions, Received
from crm_shared.bus.port import Bus, Delivered, Subscription
from crm_shared.bus.relay import Relay
from crm_shared.clock import Clock, SystemClock
from crm_shared.db.migrations import Schema
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database, Tx
from crm_shared.events import EventPayload, topic_of
from crm_shared.ids import new_id
from crm_shared.testing.cluster import Cluster, Databases

PATIENCE_S = 30.0
"""How long a test waits for what must happen, before it fails."""

_COMMITTED = """
CREATE TABLE committed (
    aggregate_id uuid NOT NULL, number bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT ALL ON committed TO PUBLIC;
"""
_LEDGER = """
CREATE TABLE ledger (
    nth bigint GENERATED ALWAYS AS IDENTITY, tenant_id uuid NOT NULL, aggregate_id uuid NOT NULL,
    seq bigint NOT NULL, number bigint NOT NULL, by integer NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE balance (aggregate_id uuid PRIMARY KEY, total bigint NOT NULL);
GRANT ALL ON ledger, balance TO PUBLIC;
"""


class _Undone(Exception):
    """This transaction was never meant to commit."""


class Counted(BaseModel):
    """What the consumer reads of a `counted` event."""

    number: int


def counted_events(aggregate: str) -> tuple[type[EventPayload], type[EventPayload]]:
    """An event type and a snapshot type of an aggregate nobody else uses."""

    class ItemCounted(EventPayload):
        TYPE: ClassVar[str] = f"crm.{aggregate}.counted.v1"
        ID_PREFIX: ClassVar[str] = "item"
        EXAMPLE: ClassVar[dict[str, Any]] = {"number": 1}
        number: int

    class ItemSnapshot(EventPayload):
        TYPE: ClassVar[str] = f"crm.{aggregate}.snapshot.v1"
        ID_PREFIX: ClassVar[str] = "item"
        EXAMPLE: ClassVar[dict[str, Any]] = {"number": 1}
        number: int

    return ItemCounted, ItemSnapshot


async def until(true: Callable[[], Awaitable[Any]], *, within_s: float = PATIENCE_S) -> Any:
    """What `true` gives as soon as it is truthy.

    Raises:
        TimeoutError: it stayed false; the last answer is told.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        answer = await true()
        if answer:
            return answer
        if loop.time() > deadline:
            raise TimeoutError(f"still {answer!r} after {within_s} s")
        await asyncio.sleep(0.01)


async def drain(subscription: Subscription, wanted: int, *, within_s: float = PATIENCE_S) -> list[Delivered]:
    """Fetch and acknowledge until `wanted` records have come."""
    got: list[Delivered] = []

    async def enough() -> bool:
        batch = await subscription.fetch(500, 0.2)
        await subscription.acknowledge(batch)
        got.extend(batch)
        return len(got) >= wanted

    await until(enough, within_s=within_s)
    return got


@dataclass(slots=True)
class Line:
    """A producer's and a consumer's database with a bus between, driven by real relays and consumers."""

    bus: Bus
    producing: Database
    consuming: Database
    urls: tuple[Databases, Databases]
    aggregate: str
    counted: type[EventPayload]
    snapshot: type[EventPayload]
    projections: Projections = field(default_factory=Projections)
    reactions: Reactions = field(default_factory=Reactions)
    clock: Clock = field(default_factory=SystemClock)
    stack: list[Callable[[], Awaitable[Any]]] = field(default_factory=list[Callable[[], Awaitable[Any]]])

    @property
    def topic(self) -> str:
        """The line's only topic."""
        return topic_of(self.counted.TYPE)

    async def emit(self, tenant: UUID, aggregate_id: UUID, *numbers: int) -> None:
        """Commit events about one aggregate."""
        async with self.producing.transaction(tenant) as tx:
            for number in numbers:
                tx.emit(self.counted(number=number), aggregate_id=aggregate_id)  # pyright: ignore[reportCallIssue]

    async def write(self, tenant: UUID, aggregate_id: UUID, *numbers: int, undone: bool = False) -> None:
        """Commit events about one aggregate, or not, and beside them in the same transaction what they say."""
        with suppress(_Undone):
            async with self.producing.transaction(tenant) as tx:
                for number in numbers:
                    tx.emit(self.counted(number=number), aggregate_id=aggregate_id)  # pyright: ignore[reportCallIssue]
                await tx.connection.executemany(
                    "INSERT INTO committed VALUES ($1, $2)", [(aggregate_id, number) for number in numbers]
                )
                if undone:
                    raise _Undone

    async def emit_snapshot(self, tenant: UUID, aggregate_id: UUID, number: int) -> None:
        """Commit a snapshot of one aggregate."""
        async with self.producing.transaction(tenant) as tx:
            tx.emit(self.snapshot(number=number), aggregate_id=aggregate_id)  # pyright: ignore[reportCallIssue]

    def relay(self) -> Relay:
        """A relay of the producer."""
        return Relay(self.producing, self.bus, direct_url=self.urls[0].worker, source="probe")

    def consumer(self, bus: Bus | None = None) -> Consumer:
        """A consumer member; all of them are in one group of this line."""
        return Consumer(
            self.consuming,
            bus or self.bus,
            name=f"probe-{self.aggregate}",
            effects=Effects(self.projections, self.reactions, self.clock),
            clock=self.clock,
        )

    def begin(self, runner: Relay | Consumer) -> asyncio.Task[None]:
        """Run it until the line is taken down, or the test stops it."""
        task = asyncio.create_task(runner.run())

        async def end() -> None:
            await runner.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.stack.append(end)
        if isinstance(runner, Relay):
            self.producing.wakers.append(runner.wake)
        return task

    def count_in_ledger(self, *, failing: Callable[[Received[Counted]], bool] = lambda _: False) -> None:
        """Register a projection that adds up and a reaction that keeps the ledger; either fails where it is told to."""

        async def add_up(tx: Tx, events: Sequence[Received[Counted]]) -> None:
            for event in events:
                if failing(event):
                    raise ValueError(f"poison: {event.data.number}")
            await tx.connection.executemany(
                "INSERT INTO balance VALUES ($1, $2) "
                "ON CONFLICT (aggregate_id) DO UPDATE SET total = balance.total + $2",
                [(event.aggregate_id, event.data.number) for event in events],
            )

        async def replace(tx: Tx, events: Sequence[Received[Counted]]) -> None:
            await tx.connection.executemany(
                "INSERT INTO balance VALUES ($1, $2) ON CONFLICT (aggregate_id) DO UPDATE SET total = $2",
                [(event.aggregate_id, event.data.number) for event in events],
            )

        async def write_down(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
            del now
            await tx.connection.execute(
                "INSERT INTO ledger (tenant_id, aggregate_id, seq, number, by) VALUES ($1, $2, $3, $4, $5)",
                event.tenant,
                event.aggregate_id,
                event.sequence,
                event.data.number,
                os.getpid(),
            )

        self.projections.on(self.counted.TYPE, Counted)(add_up)
        self.projections.on(self.snapshot.TYPE, Counted)(replace)
        self.reactions.on(self.counted.TYPE, Counted)(write_down)

    async def ledger(self) -> list[tuple[UUID, int, int]]:
        """Aggregate, sequence and number of what was applied, in the order in which it was."""
        rows = await self.ask(1, "SELECT aggregate_id, seq, number FROM ledger ORDER BY nth")
        return [(row["aggregate_id"], row["seq"], row["number"]) for row in rows]

    async def balances(self) -> dict[UUID, int]:
        """The sum of the numbers of each aggregate."""
        return {row["aggregate_id"]: row["total"] for row in await self.ask(1, "SELECT * FROM balance")}

    async def parked(self) -> list[asyncpg.Record]:
        """Keys that wait at the consumer, anybody's, the longest waiting first, and how many `events` each has."""
        return await self.ask(
            1,
            "SELECT k.*, (SELECT count(*) FROM parked p WHERE p.tenant_id = k.tenant_id AND p.key = k.key) AS events "
            "FROM consumer_key k WHERE k.parked_at IS NOT NULL ORDER BY k.parked_at",
        )

    async def ask(self, end: int, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the producer's (0) or consumer's (1) database, past all walls."""
        connection = await asyncpg.connect(self.urls[end].admin)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def outbox_empty(self) -> bool:
        """Whether all that was committed has been published."""
        return not await self.ask(0, "SELECT 1 FROM outbox LIMIT 1")


@asynccontextmanager
async def laid_line(cluster: Cluster, schema: Schema, bus: Bus) -> AsyncGenerator[Line]:
    """A line with a topic of its own."""
    aggregate = f"item-{new_id().hex[-12:]}"
    counted, snapshot = counted_events(aggregate)
    urls = (await cluster.database(schema), await cluster.database(schema))
    for url, tables in zip(urls, (_COMMITTED, _LEDGER), strict=True):
        admin = await asyncpg.connect(url.admin)
        await admin.execute(tables)
        await admin.close()
    producing = await Database.open(urls[0].worker, schema.service, size=8, flush=flush_outbox)
    consuming = await Database.open(urls[1].worker, schema.service, size=4, flush=flush_outbox)
    line = Line(bus, producing, consuming, urls, aggregate, counted, snapshot)
    await bus.ensure_topics([line.topic])
    try:
        yield line
    finally:
        for end in reversed(line.stack):
            await end()
        await producing.close()
        await consuming.close()
