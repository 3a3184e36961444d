"""What an event costs with more and more units waiting: windows of one unit each, in turn, the deep ones left deep."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, cast
from uuid import UUID

import asyncpg
from tests.bench.faults.stage import Played, Stage

from crm_shared.bus.consumer import Consumer
from crm_shared.bus.port import Bus, Delivered, Record, Subscription
from crm_shared.bus.relay import Relay
from crm_shared.clock import SystemClock
from crm_shared.db.outbox import slot_of
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id

_KEYS = 500
_FILL = """
INSERT INTO outbox (tenant_id, event_id, aggregate, aggregate_id, epoch, seq, type, slot, subject, data)
SELECT $1, gen_random_uuid(), $2, k.id, 0, $6 + n, $3, k.slot, k.id::text, '{"number": 1}'
FROM generate_series(1, $7::bigint) AS n, unnest($4::uuid[], $5::smallint[]) AS k(id, slot) ORDER BY n
"""


@dataclass(frozen=True, slots=True)
class Windows:
    """How much waits, in units of events, and how often each is measured."""

    unit: int
    depths: tuple[int, int, int]
    rounds: int


async def relaying_by_depth(stage: Stage, windows: Windows) -> list[float]:
    """Microseconds an event from outbox to bus, for each depth of the outbox."""
    return await _by_depth(stage, _Outbox, windows)


async def consuming_by_depth(stage: Stage, windows: Windows) -> list[float]:
    """Microseconds an event from bus to effect, for each number of records that the group is behind."""
    return await _by_depth(stage, _Log, windows)


async def _by_depth(stage: Stage, kind: type["_Backlog"], windows: Windows) -> list[float]:
    """The median cost of a window at each depth; the windows of the depths alternate, so that noise hits all alike."""
    async with AsyncExitStack() as stack:
        backlogs = [kind(await stack.enter_async_context(stage.line()), windows.unit) for _ in windows.depths]
        costs: list[list[float]] = [[] for _ in windows.depths]
        for nth in range(windows.rounds + 1):
            for backlog, depth, found in zip(backlogs, windows.depths, costs, strict=True):
                await backlog.fill_up_to(depth * windows.unit)
                cost = await backlog.window()
                if nth:  # the first round prepares statements and warms caches
                    found.append(cost * 1e6)
        return [median(found) for found in costs]


class _Gauge:
    """A bus that measures what passes: batches after the first, until a good part of a unit is through."""

    def __init__(self, bus: Bus, unit: int) -> None:
        self._bus = bus
        self._wanted = unit // 2
        self._started: float | None = None
        self._passed = 0
        self.cost_s: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def passes(self, count: int) -> None:
        """So many events begin to pass now; those before them are through."""
        now = time.perf_counter()
        if self._started is None:
            self._started = now
        elif self._passed >= self._wanted and not self.cost_s.done():
            self.cost_s.set_result((now - self._started) / self._passed)
        self._passed += count

    async def publish(self, records: Sequence[Record]) -> None:
        self.passes(len(records))
        await self._bus.publish(records)

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        return cast(Subscription, _GaugedMember(await self._bus.subscribe(group, topics), self))


class _GaugedMember:
    def __init__(self, member: Subscription, gauge: _Gauge) -> None:
        self._member = member
        self._gauge = gauge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    async def fetch(self, max_records: int, timeout_s: float) -> list[Delivered]:
        records = await self._member.fetch(max_records, timeout_s)
        if records:
            self._gauge.passes(len(records))
        return records


class _Backlog(ABC):
    """A line with much waiting at one place."""

    def __init__(self, played: Played, unit: int) -> None:
        self.line = played.line
        self.tenant = played.tenant
        self.keys = [new_id() for _ in range(_KEYS)]
        self.unit = unit
        self.made_of_each = 0

    async def fill_up_to(self, depth: int) -> None:
        """Have at least `depth` events wait."""
        missing = -(-max(depth - await self.waiting(), 0) // _KEYS)
        if missing:
            await self.make(missing)
            self.made_of_each += missing

    async def window(self) -> float:
        """Seconds that an event takes from here on."""
        gauge = _Gauge(self.line.bus, self.unit)
        running = asyncio.create_task(self.runner(cast(Bus, gauge)).run())
        try:
            return await asyncio.wait_for(gauge.cost_s, 60)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @abstractmethod
    async def waiting(self) -> int: ...

    @abstractmethod
    async def make(self, of_each: int) -> None: ...

    @abstractmethod
    def runner(self, bus: Bus) -> Relay | Consumer: ...


class _Outbox(_Backlog):
    """Committed and not published."""

    async def waiting(self) -> int:
        return (await self.line.ask(0, "SELECT count(*) AS n FROM outbox"))[0]["n"]

    async def make(self, of_each: int) -> None:
        connection = await asyncpg.connect(self.line.urls[0].admin)
        try:
            slots, kind = [slot_of(self.tenant, key) for key in self.keys], self.line.counted
            await connection.execute(
                _FILL, self.tenant, kind.aggregate(), kind.TYPE, self.keys, slots, self.made_of_each, of_each
            )
            await connection.execute("ANALYZE outbox")  # as autovacuum does, sooner or later: a plan may change
        finally:
            await connection.close()

    def runner(self, bus: Bus) -> Relay:
        return Relay(self.line.producing, bus, direct_url=self.line.urls[0].worker, source="probe")


class _Log(_Backlog):
    """Published and not consumed."""

    def __init__(self, played: Played, unit: int) -> None:
        super().__init__(played, unit)
        self.line.count_in_ledger()

    async def waiting(self) -> int:
        taken = (await self.line.ask(1, "SELECT count(*) AS n FROM ledger"))[0]["n"]
        return self.made_of_each * _KEYS - taken

    async def make(self, of_each: int) -> None:
        for seq in range(self.made_of_each + 1, self.made_of_each + of_each + 1):
            await self.line.bus.publish([self._record(key, seq) for key in self.keys])

    def runner(self, bus: Bus) -> Consumer:
        return self.line.consumer(bus)

    def _record(self, key: UUID, seq: int) -> Record:
        envelope = Envelope(
            new_id(), self.line.counted.TYPE, "probe", public_id("item", key), SystemClock().now(), self.tenant, key,
            0, seq, None, '{"number":1}',
        )  # fmt: skip
        return Record(envelope.topic, envelope.key, envelope.to_bytes())
