"""Members that join, leave, die and stop in the middle of something; and members whose clock is wrong."""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from crm_shared.bus.partition import partition_of
from crm_shared.events import Envelope, partition_key
from crm_shared.testing.bus import until
from crm_shared.testing.bus_process import Service
from crm_shared.testing.bus_service import Blow, Moment

from .checker import Outcome, at_rest, examine, longest_lag_s, recovering
from .load import load
from .stage import Played, Stage

_OFF_S = 600.0
_AT_WORK = "SELECT DISTINCT by FROM ledger WHERE at > clock_timestamp() - interval '1 second'"
_TOUCHED = "SELECT DISTINCT aggregate_id FROM ledger WHERE at > clock_timestamp() - interval '1 second'"


async def storm(stage: Stage) -> Outcome:
    """Two of three members are stopped, one before it acknowledges, one amid a transaction; others come and go."""
    async with stage.line() as played:
        line = played.line
        relay = line.relay()
        line.begin(relay)
        blows = (Blow(moment, sign=signal.SIGSTOP, on_call=True) for moment in (Moment.APPLIED, Moment.HANDLING))
        victims = [await played.start(relays=False, blow=blow) for blow in blows]
        steady = await played.start(relays=False)
        async with load(played):
            await until(lambda: _all_at_work(played, [*victims, steady]))
            settled = await _now(played)
            await asyncio.sleep(stage.scale.load_s)
            since = await _now(played)
            stopped_s = time.monotonic()
            for victim in victims:
                victim.send(signal.SIGUSR1)
            await until(lambda: _are_stopped(victims))
            hit = await _keys_of(played, victims, since=settled)
            await until(lambda: _caught_up(played, since), within_s=stage.scale.stopped_s + 30)
            await _come_and_go(played, rounds=max(stage.scale.restarts, 1))
            await asyncio.sleep(max(0.0, stopped_s + stage.scale.stopped_s - time.monotonic()))
            for victim in victims:
                victim.send(signal.SIGCONT)
            await until(lambda: _all_at_work(played, [*victims, steady]))
        async with recovering(line) as watch:
            await line.write(played.tenant, played.items[0], 0)
        lag_s = await longest_lag_s(line, but=hit, since=since)
        reports = [await one.ended() for one in (*victims, steady)]
        await relay.stop()
        fenced = sum(report.fenced for report in reports[:1])
        return Outcome(await examine(line), fenced, lag_s=lag_s, drain_s=watch.drain_s)


async def wrong_clocks(stage: Stage) -> Outcome:
    """Two services side by side, one ten minutes ahead and one behind."""
    async with stage.line() as played:
        line = played.line
        processes = [await played.start(seed=nth, clock_off_s=off_s) for nth, off_s in enumerate((_OFF_S, -_OFF_S))]
        await until(lambda: _all_at_work(played, processes))
        since = await _now(played)
        await asyncio.sleep(stage.scale.load_s)
        reports = [asyncio.create_task(process.ended()) for process in processes[:1]]
        await asyncio.gather(*reports)  # the other one takes over what it left
        await asyncio.sleep(stage.scale.load_s / 2)
        last = line.relay()
        await processes[1].ended()
        line.count_in_ledger()
        line.begin(last)
        consumer = line.consumer()
        line.begin(consumer)
        await at_rest(line)
        await consumer.stop()
        await last.stop()
        lag_s = await longest_lag_s(line, since=since)
        spread_s, odd = await _times_in_log(played)
        findings = await examine(line)
        return Outcome(replace(findings, order_breaks=findings.order_breaks + odd), int(spread_s > _OFF_S), lag_s=lag_s)


async def _times_in_log(played: Played) -> tuple[float, int]:
    """How far the makers' clocks were apart, by their events' ids; and records whose time in the log is odd."""
    ids_s: list[float] = []
    last: dict[int, datetime] = {}
    odd = 0
    now = datetime.now(UTC)
    async for record in played.line.bus.replay(played.line.topic):
        ids_s.append((Envelope.from_bytes(record.value).id.int >> 80) / 1_000)
        odd += record.timestamp < last.get(record.partition, record.timestamp)
        odd += abs(record.timestamp - now) > timedelta(minutes=5)
        last[record.partition] = record.timestamp
    return max(ids_s) - min(ids_s), odd


async def _come_and_go(played: Played, *, rounds: int) -> None:
    for _ in range(rounds):
        guest, doomed = [await played.start(relays=False) for _ in range(2)]
        await until(lambda guests=[guest, doomed]: _at_work_too(played, guests))
        await guest.ended()
        await doomed.killed()


async def _now(played: Played) -> datetime:
    return (await played.line.ask(0, "SELECT clock_timestamp() AS now"))[0]["now"]


async def _at_work_too(played: Played, processes: Sequence[Service]) -> bool:
    rows = await played.line.ask(1, _AT_WORK)
    return {row["by"] for row in rows} >= {process.pid for process in processes}


async def _all_at_work(played: Played, processes: Sequence[Service]) -> bool:
    """Whether each of them, and nobody else, has applied something in this second."""
    rows = await played.line.ask(1, _AT_WORK)
    return {row["by"] for row in rows} == {process.pid for process in processes}


async def _are_stopped(processes: Sequence[Service]) -> bool:
    return all(process.is_stopped() for process in processes)


async def _keys_of(played: Played, processes: Sequence[Service], *, since: datetime) -> set[UUID]:
    """The keys in partitions that these have had since then."""
    rows = await played.line.ask(
        1,
        "SELECT DISTINCT aggregate_id FROM ledger WHERE by = ANY($1) AND at > $2",
        [process.pid for process in processes],
        since,
    )
    theirs = {_partition(played, row["aggregate_id"]) for row in rows}
    return {item for item in played.items if _partition(played, item) in theirs}


def _partition(played: Played, item: UUID) -> int:
    return partition_of(partition_key(played.tenant, item))


async def _caught_up(played: Played, since: datetime) -> bool:
    """Whether each partition that got events since then has had one applied."""
    made = await played.line.ask(0, "SELECT DISTINCT aggregate_id FROM committed WHERE at > $1", since)
    rows = await played.line.ask(
        1, "SELECT DISTINCT aggregate_id FROM ledger WHERE at > clock_timestamp() - interval '1 second'"
    )
    alive = {_partition(played, row["aggregate_id"]) for row in rows}
    return {_partition(played, row["aggregate_id"]) for row in made} <= alive
