"""From the return of a commit in one service to the commit of the effect in another, at 200 events a second."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.faults.load import load, percentile
from tests.bench.faults.stage import Played

from crm_shared.testing.bus import until
from crm_shared.testing.bus_process import Service


@dataclass(frozen=True, slots=True)
class Spread:
    """Latencies of one run."""

    p50_ms: float
    p99_ms: float


async def embedded(played: Played, warm_s: float, measured_s: float) -> Spread:
    """As `crm up` runs it: one process writes and wakes the other, which relays and consumes."""
    worker = await played.start()
    played.line.producing.wakers.append(lambda: worker.send(signal.SIGUSR2))
    return await _measured(played, [worker], warm_s, measured_s)


async def apart(played: Played, warm_s: float, measured_s: float) -> Spread:
    """As separate processes run it: this one writes and wakes nobody, one relays, one consumes."""
    workers = [await played.start(consumes=False), await played.start(relays=False)]
    return await _measured(played, workers, warm_s, measured_s)


async def _measured(played: Played, workers: Sequence[Service], warm_s: float, measured_s: float) -> Spread:
    async with load(played) as writers:
        await until(lambda: _all_applied(played, 1))
        await asyncio.sleep(warm_s + measured_s)
    await until(lambda: _all_applied(played, len(writers.committed)))
    played.line.producing.wakers.clear()
    reports = [await worker.ended() for worker in workers]
    return _spread(writers.committed, reports[-1].applied, warm_s)


def _spread(committed: Mapping[int, float], applied: Mapping[int, float], warm_s: float) -> Spread:
    """Without what came before partitions were dealt, statements prepared and Java warmed up."""
    from_s = min(applied.values()) + warm_s
    latencies = [applied[number] - at for number, at in committed.items() if at >= from_s]
    return Spread(percentile(latencies, 50) * 1_000, percentile(latencies, 99) * 1_000)


async def _all_applied(played: Played, count: int) -> bool:
    return (await played.line.ask(1, "SELECT count(*) AS n FROM ledger"))[0]["n"] >= count
