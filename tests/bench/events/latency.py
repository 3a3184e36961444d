"""From the return of a commit in one service to the commit of the effect in another, at 200 events a second."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.bench.faults.load import Load, load, percentile
from tests.bench.faults.stage import Played

from crm_shared.bus.handlers import Received
from crm_shared.db.pool import Tx
from crm_shared.testing.bus import Counted, until


@dataclass(frozen=True, slots=True)
class Spread:
    """Latencies of one run."""

    p50_ms: float
    p99_ms: float


async def all_in_one(played: Played, warm_s: float, measured_s: float) -> Spread:
    """Writers, relay and consumer on one event loop, as in the embedded suite."""
    line, applied = played.line, dict[int, float]()

    async def note(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
        tx.after_commit.append(lambda: applied.update({event.data.number: time.monotonic()}))

    line.count_in_ledger()
    line.reactions.on(line.counted.TYPE, Counted)(note)
    line.begin(line.relay())
    line.begin(line.consumer())
    writers = await _write(played, warm_s, measured_s)
    await until(lambda: _all_applied(played, len(writers.committed)))
    return _spread(writers.committed, applied, warm_s)


async def two_processes(played: Played, warm_s: float, measured_s: float) -> Spread:
    """Writers and relay in this process, as in a service and its worker; the consumer in one of its own."""
    consumer = await played.start(relays=False)
    played.line.begin(played.line.relay())
    writers = await _write(played, warm_s, measured_s)
    await until(lambda: _all_applied(played, len(writers.committed)))
    report = await consumer.ended()
    return _spread(writers.committed, report.applied, warm_s)


async def _write(played: Played, warm_s: float, measured_s: float) -> Load:
    async with load(played) as writers:
        await until(lambda: _all_applied(played, 1))
        await asyncio.sleep(warm_s + measured_s)
    return writers


def _spread(committed: Mapping[int, float], applied: Mapping[int, float], warm_s: float) -> Spread:
    """Without what came before partitions were dealt, statements prepared and Java warmed up."""
    from_s = min(applied.values()) + warm_s
    latencies = [applied[number] - at for number, at in committed.items() if at >= from_s]
    return Spread(percentile(latencies, 50) * 1_000, percentile(latencies, 99) * 1_000)


async def _all_applied(played: Played, count: int) -> bool:
    return (await played.line.ask(1, "SELECT count(*) AS n FROM ledger"))[0]["n"] >= count
