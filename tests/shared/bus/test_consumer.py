"""The consumer's loop: stopping in order, starting before its topics, and noticing that nothing moves."""

import asyncio
import time
from datetime import datetime
from typing import Any

import pytest

from crm_shared.bus import consumer as consumer_module
from crm_shared.bus.catalogue import Topic, catalogue
from crm_shared.bus.consumer import Stalled
from crm_shared.bus.handlers import Received
from crm_shared.bus.log_subscription import LogSubscription
from crm_shared.db.pool import Tx
from crm_shared.ids import new_id
from crm_shared.testing.bus import Counted, Line, counted_events, drain, until


async def test_stopping_finishes_what_is_in_hand_and_acknowledges_it(line: Line) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
        begun.set()
        await go_on.wait()

    line.count_in_ledger()
    line.reactions.on(line.counted.TYPE, Counted)(slow)
    line.begin(line.relay())
    consumer = line.consumer()
    running = line.begin(consumer)
    await line.emit(new_id(), new_id(), 1)
    await asyncio.wait_for(begun.wait(), 30)
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.sleep(0.05)
    assert not running.done()
    go_on.set()
    await stopping
    await running
    assert len(await line.ledger()) == 1
    successor = await line.bus.subscribe(consumer.group, [line.topic])
    await line.emit(new_id(), new_id(), 2)
    (record,) = await drain(successor, 1)
    assert b'"number":2' in record.value
    await successor.aclose()


async def test_a_handler_that_does_not_finish_is_cut_off_and_repeated_by_the_next(
    log_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "FINISH_WITHIN_S", 0.2)
    begun, stuck = asyncio.Event(), [True]

    async def slow(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
        begun.set()
        if stuck[0]:
            await asyncio.Event().wait()

    log_line.count_in_ledger()
    log_line.reactions.on(log_line.counted.TYPE, Counted)(slow)
    log_line.begin(log_line.relay())
    consumer = log_line.consumer()
    running = asyncio.create_task(consumer.run())
    await log_line.emit(new_id(), new_id(), 1)
    await asyncio.wait_for(begun.wait(), 30)
    await consumer.stop()
    await asyncio.gather(running, return_exceptions=True)
    assert await log_line.ledger() == []
    stuck[0] = False
    log_line.begin(log_line.consumer())

    async def applied() -> bool:
        return len(await log_line.ledger()) == 1

    await until(applied)


async def test_work_without_progress_ends_the_worker(log_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "STALLED_AFTER_S", 0.2)
    monkeypatch.setattr(consumer_module, "_WATCH_EVERY_S", 0.05)
    log_line.count_in_ledger()
    log_line.begin(log_line.relay())
    consumer = log_line.consumer()

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(consumer.intake, "take", never)
    await log_line.emit(new_id(), new_id(), 1)
    with pytest.raises(Stalled):
        await asyncio.wait_for(consumer.run(), 20)


@pytest.mark.parametrize("amid_a_look", [True, False])
async def test_time_in_which_the_process_was_stopped_is_no_lack_of_progress(
    log_line: Line, monkeypatch: pytest.MonkeyPatch, amid_a_look: bool
) -> None:
    monkeypatch.setattr(consumer_module, "STALLED_AFTER_S", 1.0)
    monkeypatch.setattr(consumer_module, "_WATCH_EVERY_S", 0.05)
    log_line.count_in_ledger()
    log_line.begin(log_line.relay())
    consumer = log_line.consumer()
    begun, released = asyncio.Event(), asyncio.Event()
    take = consumer.intake.take

    async def slow(*given: Any) -> Any:
        begun.set()
        await released.wait()
        return await take(*given)

    monkeypatch.setattr(consumer.intake, "take", slow)
    running = log_line.begin(consumer)
    await log_line.emit(new_id(), new_id(), 1)
    await asyncio.wait_for(begun.wait(), 10)
    looking, look = asyncio.Event(), LogSubscription.lag

    async def looked(subscription: LogSubscription) -> Any:
        looking.set()
        await asyncio.sleep(0)
        return await look(subscription)

    monkeypatch.setattr(LogSubscription, "lag", looked)
    await asyncio.wait_for(looking.wait(), 10)
    if not amid_a_look:
        await asyncio.sleep(0.04)
    time.sleep(1.2)  # nothing of this process goes on, as if it had been stopped
    await asyncio.sleep(0.2)
    assert not running.done()
    released.set()

    async def applied() -> bool:
        return len(await log_line.ledger()) == 1

    await until(applied)


async def test_it_waits_for_topics_that_are_not_there_yet(log_line: Line) -> None:
    counted, snapshot = counted_events(f"later-{new_id().hex[-12:]}")
    log_line.counted, log_line.snapshot = counted, snapshot
    log_line.count_in_ledger()
    consumer = log_line.consumer()
    log_line.begin(consumer)
    await asyncio.sleep(0.1)
    assert not consumer.ready
    await log_line.bus.ensure_topics([log_line.topic])

    async def ready() -> bool:
        return consumer.ready

    await until(ready)


def test_the_catalogue_has_one_topic_for_each_aggregate() -> None:
    one, other = counted_events("item"), counted_events("other")
    assert catalogue([*one, *other]) == [Topic("crm.item"), Topic("crm.other")]
    assert Topic("crm.item").partitions == 12
    assert (Topic("crm.item").retention + Topic("crm.item").segment).days < 7
