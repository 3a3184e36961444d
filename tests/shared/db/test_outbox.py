"""Emitted events: one row each, numbered without gaps per aggregate, in commit order, or not at all."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from crm_shared.db.outbox import SLOTS, flush_outbox, outbox_has_room, raise_epoch, slot_of
from crm_shared.db.pool import Database
from crm_shared.errors import TooLarge
from crm_shared.ids import new_id, public_id
from crm_shared.testing.bus import Line, counted_events
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE


@pytest.fixture(scope="module")
async def urls(cluster: Cluster) -> Any:
    return await cluster.database(SERVICE.schema)


@pytest.fixture
async def line(urls: Any) -> AsyncIterator[Line]:
    """A producer without a bus."""
    database = await Database.open(urls.worker, SERVICE.name, size=10, flush=flush_outbox)
    counted, snapshot = counted_events(f"item-{new_id().hex[-12:]}")
    yield Line(None, database, database, (urls, urls), counted.aggregate(), counted, snapshot)  # type: ignore[arg-type]
    await database.close()


async def rows(line: Line, tenant: UUID) -> list[asyncpg.Record]:
    return await line.ask(0, "SELECT * FROM outbox WHERE tenant_id = $1 ORDER BY id", tenant)


async def test_an_event_is_a_row_of_the_same_transaction(line: Line) -> None:
    tenant, item = new_id(), new_id()
    await line.emit(tenant, item, 7)
    (row,) = await rows(line, tenant)
    assert (row["aggregate"], row["aggregate_id"], row["type"]) == (line.aggregate, item, line.counted.TYPE)
    assert (row["epoch"], row["seq"], row["data"]) == (0, 1, '{"number":7}')
    assert (row["slot"], row["subject"]) == (slot_of(tenant, item), public_id("item", item))


async def test_a_rolled_back_transaction_leaves_neither_event_nor_number(line: Line) -> None:
    tenant, item = new_id(), new_id()
    await line.emit(tenant, item, 1)
    with pytest.raises(RuntimeError):
        async with line.producing.transaction(tenant) as tx:
            tx.emit(line.counted(number=2), aggregate_id=item)
            raise RuntimeError
    await line.emit(tenant, item, 3)
    assert [(row["seq"], row["data"]) for row in await rows(line, tenant)] == [(1, '{"number":1}'), (2, '{"number":3}')]


async def test_many_events_of_many_aggregates_keep_their_order(line: Line) -> None:
    tenant, items = new_id(), [new_id() for _ in range(5)]
    await line.emit(tenant, items[0], 0)
    async with line.producing.transaction(tenant) as tx:
        for number in range(1, 21):
            tx.emit(line.counted(number=number), aggregate_id=items[number % 5])
    sequences: dict[UUID, list[int]] = defaultdict(list)
    for row in await rows(line, tenant):
        sequences[row["aggregate_id"]].append(row["seq"])
    assert sequences == {items[0]: [1, 2, 3, 4, 5]} | {item: [1, 2, 3, 4] for item in items[1:]}
    assert [row["data"] for row in await rows(line, tenant)] == [f'{{"number":{n}}}' for n in range(21)]


async def test_a_snapshot_carries_the_present_number_and_takes_none(line: Line) -> None:
    tenant, item = new_id(), new_id()
    async with line.producing.transaction(tenant) as tx:
        tx.emit(line.snapshot(number=0), aggregate_id=item)
        tx.emit(line.counted(number=1), aggregate_id=item)
        tx.emit(line.counted(number=2), aggregate_id=item)
        tx.emit(line.snapshot(number=3), aggregate_id=item)
        tx.emit(line.counted(number=3), aggregate_id=item)
    await line.emit_snapshot(tenant, item, 6)
    assert [row["seq"] for row in await rows(line, tenant)] == [0, 1, 2, 2, 3, 3]


async def test_ids_of_a_key_ascend_in_commit_order_under_contention(line: Line) -> None:
    tenant, items = new_id(), [new_id() for _ in range(3)]

    async def write(nth: int) -> None:
        for number in range(12):
            async with line.producing.transaction(tenant) as tx:
                # Each transaction takes several keys, in an order of its own.
                for step in range(3):
                    tx.emit(line.counted(number=number), aggregate_id=items[(nth + step) % 3])

    await asyncio.gather(*(write(nth) for nth in range(8)))
    sequences: dict[UUID, list[int]] = defaultdict(list)
    for row in await rows(line, tenant):
        sequences[row["aggregate_id"]].append(row["seq"])
    assert all(numbers == list(range(1, 97)) for numbers in sequences.values())


async def test_a_later_event_of_a_key_waits_for_the_earlier_transaction(line: Line) -> None:
    tenant, item, other = new_id(), new_id(), new_id()
    slow = line.producing.transaction(tenant)
    tx = await slow.__aenter__()
    await flush_outbox(tx, [pending(line, item, 1)])
    behind = asyncio.create_task(line.emit(tenant, item, 2))
    await line.emit(tenant, other, 3)  # commits at once, with a higher id
    assert [row["aggregate_id"] for row in await rows(line, tenant)] == [other]
    assert not behind.done()
    await slow.__aexit__(None, None, None)
    await behind
    assert [(row["seq"], row["data"]) for row in await rows(line, tenant) if row["aggregate_id"] == item] == [
        (1, '{"number":1}'),
        (2, '{"number":2}'),
    ]


def pending(line: Line, item: UUID, number: int) -> Any:
    from crm_shared.db.pool import Pending

    return Pending(line.aggregate, item, line.counted(number=number))


async def test_an_event_over_900_kilobytes_is_refused_before_it_is_written(line: Line) -> None:
    from typing import ClassVar

    from crm_shared.events import EventPayload

    class Long(EventPayload):
        TYPE: ClassVar[str] = "crm.item.written.v1"
        ID_PREFIX: ClassVar[str] = "item"
        EXAMPLE: ClassVar[dict[str, Any]] = {"text": ""}
        text: str

    tenant = new_id()
    with pytest.raises(TooLarge):
        async with line.producing.transaction(tenant) as tx:
            tx.emit(Long(text="ü" * 450_000), aggregate_id=new_id())
    async with line.producing.transaction(tenant) as tx:
        tx.emit(Long(text="ü" * 440_000), aggregate_id=new_id())
    assert len(await rows(line, tenant)) == 1


async def test_a_new_epoch_numbers_old_and_new_aggregates_from_one(line: Line, urls: Any) -> None:
    tenant, old, new = new_id(), new_id(), new_id()
    await line.emit(tenant, old, 1, 2)
    owner = await asyncpg.connect(urls.owner)
    epoch = await raise_epoch(owner)
    assert await raise_epoch(owner) == epoch + 1
    await owner.close()
    await line.emit(tenant, old, 3)
    await line.emit(tenant, new, 4)
    assert [(row["epoch"], row["seq"]) for row in await rows(line, tenant)] == [
        (epoch - 1, 1), (epoch - 1, 2), (epoch + 1, 1), (epoch + 1, 1),
    ]  # fmt: skip


async def test_bulk_writers_learn_when_to_pause(line: Line) -> None:
    tenant = new_id()
    for _ in range(3):
        await line.emit(tenant, new_id(), 1)
    assert await outbox_has_room(line.producing)
    assert not await outbox_has_room(line.producing, limit=2)


def test_slots_are_spread_evenly() -> None:
    tenant = new_id()
    used = [slot_of(tenant, new_id()) for _ in range(4_000)]
    assert min(used.count(slot) for slot in range(SLOTS)) > 150
