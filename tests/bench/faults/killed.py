"""Processes killed at the worst moments: after commit, before deletion, before acknowledgement; and at any."""

import asyncio
import random
from collections import Counter

import orjson

from crm_shared.testing.bus_service import Blow, Moment

from .checker import Outcome, examine, recovering
from .load import load
from .stage import Played, Stage


async def between_commit_and_publish(stage: Stage) -> Outcome:
    """Every other process, the last too, kills itself right after a commit; the rest are killed anywhere."""
    chance = random.Random(stage.adapter)
    async with stage.line() as played:
        played.line.count_in_ledger()
        consumer = played.line.consumer()
        consuming = played.line.begin(consumer)
        for nth in range(stage.scale.kills):
            blow = Blow(Moment.COMMITTED, chance.randrange(1, 40)) if (stage.scale.kills - nth) % 2 else None
            process = await played.start(seed=nth, consumes=False, blow=blow)
            if blow is None:
                await asyncio.sleep(chance.uniform(0.05, 0.25))
                await process.killed()
            else:
                await process.gone()
        left = len(await played.line.ask(0, "SELECT 1 FROM outbox"))
        relay = played.line.relay()
        async with recovering(played.line) as watch:
            played.line.begin(relay)
        await relay.stop()
        await consumer.stop()
        await consuming
        return Outcome(await examine(played.line), left, recovery_s=watch.recovery_s, drain_s=watch.drain_s)


async def between_acknowledgement_and_deletion(stage: Stage) -> Outcome:
    """The relay dies with acknowledged rows still in the outbox: its successor repeats them."""
    async with stage.line() as played:
        played.line.count_in_ledger()
        consumer = played.line.consumer()
        consuming = played.line.begin(consumer)
        async with load(played):
            for nth in range(max(stage.scale.kills // 8, 2)):
                blow = Blow(Moment.PUBLISHED, 1 + nth % 3)
                relay = await played.start(consumes=False, blow=blow)
                await relay.gone()
        successor = played.line.relay()
        async with recovering(played.line) as watch:
            played.line.begin(successor)
        await successor.stop()
        await consumer.stop()
        await consuming
        repeated = await _repetitions(played)
        return Outcome(await examine(played.line), repeated, recovery_s=watch.recovery_s, drain_s=watch.drain_s)


async def between_database_and_offset(stage: Stage) -> Outcome:
    """The consumer dies with effects that the bus doesn't know of: its successor gets them again."""
    async with stage.line() as played:
        bus = stage.static("one")
        relay = played.line.relay()
        played.line.begin(relay)
        async with load(played):
            for nth in range(max(stage.scale.kills // 8, 2)):
                process = await played.start(bus=bus, relays=False, blow=Blow(Moment.APPLIED, 1 + nth % 3))
                await process.gone()
        async with recovering(played.line) as watch:
            last = await played.start(bus=bus, relays=False)
        await relay.stop()
        report = await last.ended()
        return Outcome(await examine(played.line), report.repeated, recovery_s=watch.recovery_s, drain_s=watch.drain_s)


async def _repetitions(played: Played) -> int:
    ids = Counter([orjson.loads(record.value)["id"] async for record in played.line.bus.replay(played.line.topic)])
    return sum(count - 1 for count in ids.values())
