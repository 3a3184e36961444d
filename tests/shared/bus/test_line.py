"""From commit to effect over every adapter: exactly once, in the order of each key, whatever goes wrong between."""

import asyncio
from collections import defaultdict
from uuid import UUID

import pytest

from crm_shared.clock import SystemClock
from crm_shared.errors import Unavailable
from crm_shared.ids import new_id
from crm_shared.testing.bus import Counted, Line, until

Ledger = list[tuple[UUID, int, int]]


def by_item(ledger: Ledger) -> dict[UUID, list[int]]:
    sequences: dict[UUID, list[int]] = defaultdict(list)
    for item, seq, _ in ledger:
        sequences[item].append(seq)
    return sequences


async def applied(line: Line, count: int) -> Ledger:
    async def enough() -> Ledger | None:
        ledger = await line.ledger()
        return ledger if len(ledger) >= count else None

    ledger: Ledger = await until(enough)
    return ledger


async def parked_keys(line: Line) -> dict[str, str]:
    rows = await line.ask(1, "SELECT key, reason FROM consumer_key WHERE parked_at IS NOT NULL")
    return {row["key"]: row["reason"] for row in rows}


async def test_every_committed_event_is_applied_once_and_in_order(line: Line) -> None:
    line.count_in_ledger()
    line.begin(line.relay())
    line.begin(line.consumer())
    tenants = [new_id() for _ in range(3)]
    items = {new_id(): tenant for tenant in tenants for _ in range(4)}

    async def write(nth: int) -> None:
        for number in range(6):
            item = list(items)[(nth + number) % len(items)]
            await line.emit(items[item], item, nth, number)
            with pytest.raises(ZeroDivisionError):
                async with line.producing.transaction(items[item]) as tx:
                    tx.emit(line.counted(number=666), aggregate_id=item)
                    raise ZeroDivisionError

    await asyncio.gather(*(write(nth) for nth in range(12)))
    ledger = await applied(line, 144)
    assert by_item(ledger) == {item: list(range(1, 13)) for item in items}
    assert 666 not in [number for _, _, number in ledger]
    sums = defaultdict(int)
    for item, _, number in ledger:
        sums[item] += number
    assert await line.balances() == sums
    assert await line.outbox_empty()
    assert await parked_keys(line) == {}


async def test_transactions_that_overlap_and_commit_in_reverse_are_all_seen(line: Line) -> None:
    """An "id greater than the last" cursor loses the late ones; here they only come later."""
    line.count_in_ledger()
    relay = line.relay()
    line.begin(relay)
    line.begin(line.consumer())
    tenant, items = new_id(), [new_id() for _ in range(4)]
    open_ones = [line.producing.transaction(tenant) for _ in items]
    txs = [await one.__aenter__() for one in open_ones]
    for tx, item in zip(txs, items, strict=True):
        tx.emit(line.counted(number=1), aggregate_id=item)
        await line.producing.write_pending(tx)
        tx.pending.clear()
    for nth, one in reversed(list(enumerate(open_ones))):
        await one.__aexit__(None, None, None)
        relay.wake()
        await applied(line, len(items) - nth)
    ids = [row["id"] for row in await line.ask(0, "SELECT 1 AS id FROM outbox")]
    assert ids == []
    assert [item for item, _, _ in await line.ledger()] == items[::-1]


async def test_two_workers_share_the_work_and_survive_each_other(line: Line) -> None:
    line.count_in_ledger()
    relays = [line.relay() for _ in range(2)]
    tasks = [line.begin(relay) for relay in relays]
    consumers = [line.consumer() for _ in range(2)]
    for consumer in consumers:
        line.begin(consumer)

    async def shared() -> bool:
        return [len(relay.slots) for relay in relays] == [8, 8]

    await until(shared)
    tenant, items = new_id(), [new_id() for _ in range(20)]
    for number in range(5):
        await asyncio.gather(*(line.emit(tenant, item, number) for item in items))
    tasks[0].cancel()
    await consumers[0].stop()
    for number in range(5):
        await asyncio.gather(*(line.emit(tenant, item, number) for item in items))
    ledger = await applied(line, 200)
    assert by_item(ledger) == {item: list(range(1, 11)) for item in items}


async def test_a_transient_failure_is_retried_until_it_passes(line: Line) -> None:
    failures = [2]

    async def unsteady(tx: object, event: object, *, now: object) -> None:
        if failures[0]:
            failures[0] -= 1
            raise Unavailable("not now")

    line.count_in_ledger()
    line.reactions.on(line.counted.TYPE, Counted)(unsteady)
    line.begin(line.relay())
    line.begin(line.consumer())
    tenant, item = new_id(), new_id()
    await line.emit(tenant, item, 1)
    assert by_item(await applied(line, 1)) == {item: [1]}
    assert await parked_keys(line) == {}


async def test_poison_stops_its_own_key_only_and_its_followers_wait_in_order(line: Line) -> None:
    cured = False
    line.count_in_ledger(failing=lambda event: event.data.number == 13 and not cured)
    line.begin(line.relay())
    consumer = line.consumer()
    line.begin(consumer)
    tenant = new_id()
    healthy = [new_id() for _ in range(30)]
    sick = new_id()
    await line.emit(tenant, sick, 1, 13)
    for number in range(3):
        await asyncio.gather(*(line.emit(tenant, item, number) for item in healthy), line.emit(tenant, sick, number))
    started = SystemClock().now()
    ledger = await applied(line, 91)
    assert (SystemClock().now() - started).total_seconds() < 5
    assert by_item(ledger) == {item: [1, 2, 3] for item in healthy} | {sick: [1]}
    key = f"{line.aggregate}:{sick}"

    async def followers_wait() -> bool:
        return len(await line.ask(1, "SELECT 1 FROM parked WHERE key = $1", key)) == 4

    await until(followers_wait)
    (waiting,) = await line.parked()
    assert [waiting[name] for name in ("key", "reason", "epoch", "seq", "events")] == [key, "failed", 0, 1, 4]
    assert waiting["error"] == "ValueError: poison: 13"
    events = await line.ask(1, "SELECT seq FROM parked WHERE key = $1 ORDER BY seq", key)
    assert [event["seq"] for event in events] == [2, 3, 4, 5]
    cured = True
    await consumer.parked.retry(tenant, key, actor="usr_operator", reason="fixed the handler")
    ledger = await line.ledger()
    assert [(seq, number) for item, seq, number in ledger if item == sick] == [(1, 1), (2, 13), (3, 0), (4, 1), (5, 2)]
    assert (await line.balances())[sick] == 17
    assert await parked_keys(line) == {}
    (audit,) = await line.ask(1, "SELECT action, actor, reason FROM parking_audit")
    assert tuple(audit) == ("retry", "usr_operator", "fixed the handler")
