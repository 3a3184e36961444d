import asyncio
from datetime import timedelta

from sqlalchemy import select

from crm_shared.db.due import Timers, run_one_due, schedule, unschedule
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import SERVICE, tally


async def _reminded(kit: ServiceKit, tenant, key: str) -> int:  # type: ignore[no-untyped-def]
    async with kit.transaction(tenant) as tx:
        return await tx.scalar(select(tally.c.count).where(tally.c.key == f"reminded:{key}")) or 0


async def test_due_work_happens_once_though_many_workers_look(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    now = kit.clock.now()
    async with kit.transaction(tenant) as tx:
        for number in range(20):
            await schedule(tx, "note.remind", key=f"k{number}", due_at=now)
    timers = SERVICE.timers

    async def drain() -> None:
        while await run_one_due(kit.worker, timers, now=now):
            pass

    await asyncio.gather(*(drain() for _ in range(4)))
    assert [await _reminded(kit, tenant, f"k{number}") for number in range(20)] == [1] * 20


async def test_work_is_left_alone_until_it_is_due_and_can_be_moved_or_taken_back(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    now = kit.clock.now()
    async with kit.transaction(tenant) as tx:
        await schedule(tx, "note.remind", key="later", due_at=now + timedelta(minutes=1))
        await schedule(tx, "note.remind", key="never", due_at=now + timedelta(minutes=1))
        assert await unschedule(tx, "note.remind", key="never")
        assert not await unschedule(tx, "note.remind", key="never")
        await schedule(tx, "note.remind", key="later", due_at=now + timedelta(minutes=2))
    await kit.run_timers(now=now + timedelta(seconds=90))
    assert await _reminded(kit, tenant, "later") == 0
    await kit.run_timers(now=now + timedelta(minutes=2))
    assert await _reminded(kit, tenant, "later") == 1
    assert await _reminded(kit, tenant, "never") == 0


async def test_a_failing_handler_changes_nothing_and_is_tried_again_later(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    now = kit.clock.now()
    failures = 2
    timers = Timers()

    @timers.on("note.fragile")
    async def fragile(tx, due, *, now) -> None:  # type: ignore[no-untyped-def]
        await schedule(tx, "note.remind", key=f"try{due.attempts}", due_at=now)
        if due.attempts < failures:
            raise RuntimeError("not yet")

    async with kit.transaction(tenant) as tx:
        await schedule(tx, "note.fragile", key="x", due_at=now)
    assert await run_one_due(kit.worker, timers, now=now)
    assert not await run_one_due(kit.worker, timers, now=now + timedelta(seconds=4))
    assert await run_one_due(kit.worker, timers, now=now + timedelta(seconds=5))
    assert await run_one_due(kit.worker, timers, now=now + timedelta(seconds=15))
    await kit.run_timers(now=now + timedelta(hours=1))
    assert [await _reminded(kit, tenant, f"try{attempt}") for attempt in range(3)] == [0, 0, 1]
