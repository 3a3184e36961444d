"""The one checker of all rows: what was committed against what was applied, and what is left lying about."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from tests.bench.figures import Figure

from crm_shared.bus.partition import PARTITIONS
from crm_shared.bus.port import BusError
from crm_shared.testing.bus import Line, until

Numbers = Counter[tuple[UUID, int]]
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checker found after all had come to rest; each is 0 where the backbone holds."""

    events: int
    lost: int
    applied_twice: int
    order_breaks: int
    left_behind: int
    """Outbox rows, waiting messages, waiting keys, wrong balances, and records that the group has not acknowledged."""

    @property
    def exact(self) -> bool:
        return (self.lost, self.applied_twice, self.order_breaks, self.left_behind) == (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table, played over one adapter.

    `witnessed` counts what shows that the fault really happened: repetitions in the log, gaps, refused members.
    """

    findings: Findings
    witnessed: int
    lag_s: float | None = None
    """The longest way from commit to effect among keys that the fault didn't hit."""
    recovery_s: float | None = None
    """From the fault's end to the first effect."""
    drain_s: float | None = None
    """From the fault's end until everything was published and applied."""
    more: list[Figure] = field(default_factory=list[Figure])


async def at_rest(line: Line, *, within_s: float = 90.0) -> None:
    """Return once all that was committed has been published and applied, and nothing waits."""

    async def quiet() -> bool:
        (counts,) = await line.ask(
            0, "SELECT (SELECT count(*) FROM committed) AS made, (SELECT count(*) FROM outbox) AS out"
        )
        (taken,) = await line.ask(
            1,
            "SELECT (SELECT count(*) FROM ledger) AS applied, "
            "(SELECT count(*) FROM consumer_key WHERE parked_at IS NOT NULL) AS parked",
        )
        return counts["out"] == 0 and taken["applied"] >= counts["made"] and taken["parked"] == 0

    await until(quiet, within_s=within_s)


async def examine(line: Line) -> Findings:
    """Compare; every relay and consumer has been stopped before, or killed."""
    committed = Counter((row["aggregate_id"], row["number"]) for row in await line.ask(0, "SELECT * FROM committed"))
    ledger = await line.ledger()
    applied: Numbers = Counter((item, number) for item, _, number in ledger)
    return Findings(
        events=committed.total(),
        lost=(committed - applied).total(),
        applied_twice=(applied - committed).total(),
        order_breaks=_breaks([(item, seq) for item, seq, _ in ledger]),
        left_behind=await _left_behind(line, committed),
    )


async def longest_lag_s(line: Line, *, but: Collection[UUID] = (), since: datetime = _EVER) -> float:
    """The longest way from commit to effect, by the database's clock, among all other keys."""
    rows = await line.ask(0, "SELECT * FROM committed WHERE at >= $1", since)
    made = {(row["aggregate_id"], row["number"]): row["at"] for row in rows}
    done = await line.ask(1, "SELECT aggregate_id, number, at FROM ledger")
    return max(
        (
            (row["at"] - made[row["aggregate_id"], row["number"]]).total_seconds()
            for row in done
            if row["aggregate_id"] not in but and (row["aggregate_id"], row["number"]) in made
        ),
        default=0.0,
    )


@dataclass(slots=True)
class Stopwatch:
    """Runs from a fault's end."""

    started: float
    recovery_s: float = 0.0
    drain_s: float = 0.0


@asynccontextmanager
async def recovering(line: Line) -> AsyncGenerator[Stopwatch]:
    """From the fault's end: times the first effect, beside whatever the block does, and full rest after it."""
    before = (await line.ask(1, "SELECT count(*) AS n FROM ledger"))[0]["n"]
    watch = Stopwatch(time.monotonic())

    async def first_effect() -> None:
        await until(lambda: _more_than(line, before), within_s=60)
        watch.recovery_s = time.monotonic() - watch.started

    noticing = asyncio.create_task(first_effect())
    try:
        yield watch
        await at_rest(line)
        watch.drain_s = time.monotonic() - watch.started
        await noticing
    finally:
        noticing.cancel()
        await asyncio.gather(noticing, return_exceptions=True)


async def _more_than(line: Line, count: int) -> bool:
    return (await line.ask(1, "SELECT count(*) AS n FROM ledger"))[0]["n"] > count


def _breaks(applied: list[tuple[UUID, int]]) -> int:
    """How often an effect was not that of its key's next event."""
    last: dict[UUID, int] = defaultdict(int)
    breaks = 0
    for item, seq in applied:
        breaks += seq != last[item] + 1
        last[item] = seq
    return breaks


async def _left_behind(line: Line, committed: Numbers) -> int:
    sums: Counter[UUID] = Counter()
    for (item, number), count in committed.items():
        sums[item] += number * count
    wrong = sum(sums[item] != total for item, total in (await line.balances()).items())
    rows = len(await line.ask(0, "SELECT 1 FROM outbox"))
    waiting = len(await line.ask(1, "SELECT 1 FROM parked"))
    keys = len(await line.ask(1, "SELECT 1 FROM consumer_key WHERE parked_at IS NOT NULL"))
    return wrong + rows + waiting + keys + await _unacknowledged(line)


async def _unacknowledged(line: Line) -> int:
    """What the log holds behind the group's offsets, as the group's next member is told."""
    member = await line.bus.subscribe(line.consumer().group, [line.topic])
    try:

        async def all_partitions() -> bool:
            try:
                again.extend(await member.fetch(100, 0.1))
            except BusError:
                return False
            return len(member.assignment) == PARTITIONS

        again: list[object] = []
        await until(all_partitions)
        again.extend(await member.fetch(100, 0.1))
        behind = sum(lag.records for lag in (await member.lag()).values())
        return max(behind, len(again))
    finally:
        await member.aclose()
