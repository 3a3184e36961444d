"""Kept events: positions that follow the commits, and what age and erasure remove."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.domain import Head
from crm_gateway.subscriptions.store import Arrived
from crm_shared.ids import new_id
from crm_shared.testing.kit import ServiceKit


def arrived(subject: str = "cus_a", type: str = "crm.customer.updated.v1") -> Arrived:
    return Arrived(new_id(), type, subject, [new_id()], '{"specversion":"1.0"}')


async def test_a_reader_never_passes_an_event_whose_transaction_commits_late(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    late, early = arrived("cus_late"), arrived("cus_early")
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        async with kit.transaction(tenant) as tx:
            await store.keep(tx, [late])
            begun.set()
            await may_end.wait()

    async def quickly() -> None:
        async with kit.transaction(tenant) as tx:
            await store.keep(tx, [early])

    first = asyncio.create_task(slowly())
    await begun.wait()
    second = asyncio.create_task(quickly())
    position, seen = 0, list[str]()
    for reading in range(50):
        if reading == 20:
            assert not second.done(), "it waits for the one that has its place before it"
            may_end.set()
            await asyncio.gather(first, second)
        async with kit.database.reading(tenant) as tx:
            for event in await store.read_after(tx, position, limit=10):
                position = event.position
                seen.append(event.subject)
    assert seen == ["cus_late", "cus_early"]


async def test_companies_do_not_wait_for_each_other(kit: ServiceKit) -> None:
    one, other = kit.tenant(), kit.tenant()
    async with kit.transaction(one) as tx:
        await store.keep(tx, [arrived()])
        async with kit.transaction(other) as beside:
            await store.keep(beside, [arrived("cus_b")])
    async with kit.database.reading(other) as tx:
        assert [event.subject for event in await store.read_after(tx, 0, limit=10)] == ["cus_b"]
        assert await store.head(tx) == Head(1, 0)


async def test_what_is_old_goes_and_the_head_remembers_how_much(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.transaction(tenant) as tx:
        await store.keep(tx, [arrived(), arrived()])
    await asyncio.sleep(0)
    async with kit.transaction(tenant) as tx:
        await store.keep(tx, [arrived("cus_new")])
        kept = await store.read_after(tx, 0, limit=10)
        assert await store.position_before(tx, kept[2].kept_at, Head(3)) == 2
        assert await store.position_before(tx, datetime.now(UTC) + timedelta(hours=1), Head(3)) == 3
        assert not await store.prune(tx, kept[2].kept_at)
        assert [event.subject for event in await store.read_after(tx, 0, limit=10)] == ["cus_new"]
        assert await store.head(tx) == Head(latest=3, pruned_to=2)


@pytest.mark.parametrize(("filters", "found"), [({"subject": "cus_a"}, [1, 3]), ({"up_to": 2}, [1, 2])])
async def test_readers_choose_whom_and_how_far(kit: ServiceKit, filters: dict[str, object], found: list[int]) -> None:
    tenant = kit.tenant()
    async with kit.transaction(tenant) as tx:
        await store.keep(tx, [arrived("cus_a"), arrived("cus_b"), arrived("cus_a")])
    async with kit.database.reading(tenant) as tx:
        events = await store.read_after(tx, 0, limit=10, **filters)  # pyright: ignore[reportArgumentType]
    assert [event.position for event in events] == found
