"""A service in a process of its own, to be killed, stopped or led astray at a chosen moment."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from multiprocessing.connection import Connection
from typing import Any, cast
from uuid import UUID

from prometheus_client import REGISTRY

from crm_shared import clock
from crm_shared.bus import intake
from crm_shared.bus.handlers import Received
from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import Bus, Delivered, Fenced, Record, Subscription
from crm_shared.bus.postgres_log import PostgresLog
from crm_shared.db import outbox
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database, Tx
from crm_shared.ids import new_id
from crm_shared.observability.logs import configure_logs
from crm_shared.testing.bus import Counted, Line, counted_events
from crm_shared.testing.cluster import Databases

WRITERS = 4


class Moment(Enum):
    """Where a process is hit by its signal."""

    COMMITTED = auto()
    """Events are committed and nobody has looked at the outbox since."""
    PUBLISHED = auto()
    """The bus has acknowledged a batch, and its rows are still in the outbox."""
    HANDLING = auto()
    """An event is being handled; the transaction is open and holds its locks."""
    APPLIED = auto()
    """Effects are committed, and the bus doesn't know."""


@dataclass(frozen=True, slots=True)
class Blow:
    """The signal that a process sends itself at the `nth` such moment, counted from SIGUSR1 on if it is `on_call`."""

    moment: Moment
    nth: int = 1
    sign: signal.Signals = signal.SIGKILL
    on_call: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What the process does. Without a seed it writes nothing."""

    service: str
    producing: Databases
    consuming: Databases
    bus: str
    aggregate: str
    tenant: UUID
    items: tuple[UUID, ...]
    seed: int | None = None
    relays: bool = True
    consumes: bool = True
    blow: Blow | None = None
    clock_off_s: float = 0.0
    session_s: float = 10.0
    idle_at_most_s: float = intake.IDLE_AT_MOST_S


@dataclass(slots=True)
class Report:
    """What a process that ended in order has seen; instants are of the machine's monotonic clock."""

    fenced: int = 0
    repeated: int = 0
    applied: dict[int, float] = field(default_factory=dict[int, float])
    cpu_s: float = 0.0


class _Struck:
    """A bus under which the process is hit."""

    def __init__(self, bus: Bus, blow: Blow | None) -> None:
        self._bus = bus
        self._blow = blow
        self._left = blow.nth if blow is not None else 0
        self.armed = blow is not None and not blow.on_call
        self.report = Report()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def arm(self) -> None:
        """From now on moments count."""
        self.armed = True

    def reach(self, moment: Moment) -> None:
        """The process has come to this moment."""
        if self._blow is not None and self.armed and self._blow.moment is moment:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._blow.sign)

    async def publish(self, records: Sequence[Record]) -> None:
        await self._bus.publish(records)
        self.reach(Moment.PUBLISHED)

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        return cast(Subscription, _StruckMember(await self._bus.subscribe(group, topics), self))


class _StruckMember:
    def __init__(self, member: Subscription, bus: _Struck) -> None:
        self._member = member
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        self._bus.reach(Moment.APPLIED)
        try:
            await self._member.acknowledge(delivered)
        except Fenced:
            self._bus.report.fenced += 1
            raise


class _WrongClock(clock.SystemClock):
    """Every reading of the time in this process is off."""

    def __init__(self, off_s: float) -> None:
        self._off = timedelta(seconds=off_s)
        time.time = lambda true=time.time: true() + off_s
        outbox.new_id = lambda: UUID(int=new_id().int + (int(off_s * 1_000) << 80))  # pyright: ignore[reportPrivateImportUsage]

    def now(self) -> datetime:
        return super().now() + self._off


def serve(work: Work, say: "Connection[Report | str, str]") -> None:
    """The body of a process: says when it is up, goes on until SIGTERM, and reports."""
    configure_logs("CRITICAL")  # a bus that is away, a member that is fenced: that is what the tests are about
    asyncio.run(_serve(work, say))


async def _serve(work: Work, say: "Connection[Report | str, str]") -> None:
    intake.IDLE_AT_MOST_S = work.idle_at_most_s
    bus, ending = _Struck(await _opened(work), work.blow), asyncio.Event()
    handle = asyncio.get_running_loop().add_signal_handler
    handle(signal.SIGTERM, ending.set)
    handle(signal.SIGUSR1, bus.arm)
    async with _laid(work, bus) as line:
        relay, consumer = line.relay(), line.consumer()
        line.producing.wakers.append(relay.wake)
        handle(signal.SIGUSR2, relay.wake)
        endless: list[Coroutine[Any, Any, None]] = [relay.run()] if work.relays else []
        endless += [consumer.run()] if work.consumes else []
        endless += [_write(line, work, nth, bus, ending) for nth in range(WRITERS if work.seed is not None else 0)]
        running = [asyncio.create_task(one) for one in endless]
        say.send("up")
        await asyncio.wait([*running, asyncio.create_task(ending.wait())], return_when=asyncio.FIRST_COMPLETED)
        ending.set()
        await consumer.stop()
        await relay.stop()
        await asyncio.gather(*running)
    await bus.aclose()
    bus.report.repeated = int(REGISTRY.get_sample_value("crm_events_duplicate_total", {"service": work.service}) or 0)
    bus.report.cpu_s = time.process_time()
    say.send(bus.report)


async def _opened(work: Work) -> Bus:
    if work.bus.startswith("postgres"):
        return PostgresLog(work.bus, session_s=work.session_s)
    return await open_bus(work.bus)


@asynccontextmanager
async def _laid(work: Work, bus: _Struck) -> AsyncGenerator[Line]:
    """The process's end of the line that its parent has laid."""
    producing = await Database.open(work.producing.worker, work.service, size=WRITERS + 2, flush=flush_outbox)
    consuming = await Database.open(work.consuming.worker, work.service, size=4, flush=flush_outbox)
    line = Line(
        cast(Bus, bus), producing, consuming, (work.producing, work.consuming), work.aggregate,
        *counted_events(work.aggregate),
    )  # fmt: skip
    if work.clock_off_s:
        line.clock = _WrongClock(work.clock_off_s)
    line.count_in_ledger()
    line.reactions.on(line.counted.TYPE, Counted)(_watching(bus))
    try:
        yield line
    finally:
        await producing.close()
        await consuming.close()


def _watching(bus: _Struck) -> Any:
    async def watch(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
        del now
        number = event.data.number
        bus.reach(Moment.HANDLING)
        tx.after_commit.append(lambda: bus.report.applied.__setitem__(number, time.monotonic()))

    return watch


async def _write(line: Line, work: Work, nth: int, bus: _Struck, ending: asyncio.Event) -> None:
    """Commit events of one, or three; roll some back."""
    chance = random.Random(f"{work.seed} {nth}")  # noqa: S311 # chance, not secrecy
    while not ending.is_set():
        item, count = chance.choice(work.items), chance.choice((1, 1, 3))
        numbers = [chance.randrange(2**40) for _ in range(count)]
        undone = chance.random() < 0.2
        await line.write(work.tenant, item, *numbers, undone=undone)
        if not undone:
            bus.reach(Moment.COMMITTED)
        await asyncio.sleep(chance.random() / 200)
