import asyncio
from datetime import timedelta

from sqlalchemy import select

from crm_shared.db.due import Timers, run_due, schedule, schedule_many, unschedule
from crm_shared.db.tables import due as due_table
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
        while await run_due(kit.worker, timers, now=now):
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
    assert await run_due(kit.worker, timers, now=now)
    assert not await run_due(kit.worker, timers, now=now + timedelta(seconds=4))
    assert await run_due(kit.worker, timers, now=now + timedelta(seconds=5))
    assert await run_due(kit.worker, timers, now=now + timedelta(seconds=15))
    await kit.run_timers(now=now + timedelta(hours=1))
    assert [await _reminded(kit, tenant, f"try{attempt}") for attempt in range(3)] == [0, 0, 1]


async def test_work_that_fails_takes_no_other_down_though_they_are_claimed_together(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    now = kit.clock.now()
    timers = Timers()
    seen: list[str] = []

    @timers.on("note.mixed")
    async def mixed(tx, due, *, now) -> None:  # type: ignore[no-untyped-def]
        seen.append(due.key)
        await schedule(tx, "note.remind", key=due.key, due_at=now)
        if due.key == "bad":
            raise RuntimeError("never")

    async with kit.transaction(tenant) as tx:
        for key in ("a", "bad", "c"):
            await schedule(tx, "note.mixed", key=key, due_at=now)
    assert await run_due(kit.worker, timers, now=now) == 3
    assert seen.count("c") == 1, "what came after the failure was not tried in the same transaction"
    await kit.run_timers(now=now)
    assert [await _reminded(kit, tenant, key) for key in ("a", "bad", "c")] == [1, 0, 1]
    async with kit.transaction(tenant) as tx:
        left = await tx.all(select(due_table.c.key, due_table.c.attempts).where(due_table.c.kind == "note.mixed"))
    assert [tuple(row) for row in left] == [("bad", 1)]


async def test_a_batch_holds_one_tenant_and_kind_and_a_hundred_pieces_take_few_transactions(kit: ServiceKit) -> None:
    first, second = kit.tenant(), kit.tenant()
    now = kit.clock.now()
    timers = Timers()
    batches: dict[int, set[tuple[object, str]]] = {}

    async def note(tx, due, *, now) -> None:  # type: ignore[no-untyped-def]
        assert tx.tenant == due.tenant
        number = await tx.connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
        batches.setdefault(number, set()).add((due.tenant, due.kind))

    for kind in ("note.one", "note.other"):
        timers.on(kind)(note)
    for tenant in (first, second):
        async with kit.transaction(tenant) as tx:
            for kind in ("note.one", "note.other"):
                await schedule_many(tx, kind, [(f"k{number}", now, {}) for number in range(100)])
    done = 0
    while count := await run_due(kit.worker, timers, now=now):
        done += count
    assert done == 400
    assert all(len(kinds) == 1 for kinds in batches.values())
    assert len(batches) < 200
