"""A tenant of the probe service that leaves, and what is left of it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import delete, func, insert, select

from crm_shared.bus.departures import LEFT, RETURNED
from crm_shared.db.departures import may_come_back
from crm_shared.db.due import PURGE, schedule
from crm_shared.db.operations import start_operation
from crm_shared.db.tables import departed, due
from crm_shared.ids import new_id
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import NoteWritten, note, remark, tally

MANY = 2_500
"""More than two transactions' worth."""
HOUR = timedelta(hours=1)


@pytest.fixture
async def tenant(kit: ServiceKit) -> AsyncIterator[UUID]:
    """Somebody with notes, a remark on each, due work and a job that waits."""
    made, now = kit.tenant(), kit.clock.now()
    ids = [new_id() for _ in range(MANY)]
    async with kit.transaction(made) as tx:
        await tx.copy(
            note, ["tenant_id", "id", "version", "title", "created_at"], [(made, n, 1, str(n), now) for n in ids]
        )
        await tx.copy(remark, ["tenant_id", "id", "note_id", "body"], [(made, new_id(), n, "x") for n in ids])
        await schedule(tx, "note.remind", key="soon", due_at=now)
        await start_operation(tx, "note.fill", {"title": "x"}, viewer=kit.viewer(made), now=now)
    yield made
    async with kit.transaction(made) as tx:  # not to be met by other tests' timers
        await tx.run(delete(due))


async def rows_of(kit: ServiceKit, tenant: UUID) -> dict[str, int]:
    """How many rows of a tenant lie in which tables of the catalogue."""
    connection = await asyncpg.connect(kit.urls.admin)
    try:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_name = 'tenant_id'"
        )
        counts = {
            name: await connection.fetchval(f'SELECT count(*) FROM "{name}" WHERE tenant_id = $1', tenant)
            for (name,) in tables
        }
    finally:
        await connection.close()
    return {name: count for name, count in counts.items() if count}


async def leave(kit: ServiceKit, tenant: UUID) -> datetime:
    """The company is closed; says when its purge is to begin."""
    told = await kit.deliver(tenant, LEFT, tenant, {"name": "Gone"})
    return told.time + kit.settings.purge_after


async def at_most(kit: ServiceKit, turns: int, *, now: datetime, tenant: UUID) -> None:
    """As many transactions of due work as that, each the tenant's own."""
    purge = kit.service.timers.handlers[PURGE]
    for _ in range(turns):
        async with kit.transaction(tenant) as tx:
            taken = delete(due).where(due.c.kind == PURGE, due.c.due_at <= now).returning(due.c.key)
            if (row := await tx.one(taken)) is not None:
                await purge(tx, row, now=now)


async def test_nothing_but_the_tombstone_is_left_though_the_purge_was_cut_off_half_way(
    kit: ServiceKit, tenant: UUID
) -> None:
    neighbour = kit.tenant()
    async with kit.transaction(neighbour) as tx:
        await tx.run(insert(note).values(id=new_id(), tenant_id=neighbour, version=1, title="x", created_at=func.now()))
    purge_at = await leave(kit, tenant)
    await kit.run_timers(now=purge_at - HOUR)
    assert (await rows_of(kit, tenant))["note"] == MANY, "nothing goes within the grace"

    handler = kit.service.timers.handlers[PURGE]
    await at_most(kit, 1, now=purge_at, tenant=tenant)
    await at_most(kit, 1, now=purge_at + HOUR, tenant=tenant)
    with pytest.raises(ConnectionError):  # killed at the end of a step: that step has not happened
        async with kit.transaction(tenant) as tx:
            row = await tx.one(delete(due).where(due.c.kind == PURGE).returning(due.c.key))
            await handler(tx, row, now=purge_at + HOUR)
            raise ConnectionError
    left = await rows_of(kit, tenant)
    assert 0 < sum(left.values()) - left.get("departed", 0) < 2 * MANY

    await kit.run_timers(now=purge_at + HOUR)
    await kit.run_timers(now=purge_at + 2 * HOUR)
    assert await rows_of(kit, tenant) == {"departed": 1}
    async with kit.transaction(tenant) as tx:
        assert await tx.scalar(select(departed.c.purged_at)) is not None
    assert (await rows_of(kit, neighbour)) == {"note": 1}

    await kit.deliver(tenant, "crm.signal.pinged.v1", new_id(), {"text": "late"})
    await kit.deliver(tenant, LEFT, tenant, {"name": "Gone"})
    assert await rows_of(kit, tenant) == {"departed": 1}, "a late event recreates nothing"


async def test_work_rests_within_the_grace_and_goes_on_when_the_tenant_comes_back(
    kit: ServiceKit, tenant: UUID
) -> None:
    purge_at = await leave(kit, tenant)
    before = await rows_of(kit, tenant)
    await kit.run_timers()
    await kit.run_jobs()
    assert await rows_of(kit, tenant) == before, "neither was the reminder given nor the job done"
    async with kit.transaction(tenant) as tx:
        assert await may_come_back(tx, now=purge_at - timedelta(days=5.1))
        assert not await may_come_back(tx, now=purge_at - timedelta(days=4.9))

    await kit.deliver(tenant, RETURNED, tenant, {"name": "Here"})
    await kit.run_timers()
    await kit.run_jobs()
    await kit.run_timers(now=purge_at + HOUR)
    after = await rows_of(kit, tenant)
    assert after["note"] > MANY, "the job was done"
    assert not after.keys() & {"departed", "due"}
    async with kit.transaction(tenant) as tx:
        reminded = await tx.scalar(select(tally.c.count).where(tally.c.key == "reminded:soon"))
    assert reminded == 1, "and the reminder given"


async def test_what_happened_is_published_before_it_is_forgotten(kit: ServiceKit, tenant: UUID) -> None:
    purge_at = await leave(kit, tenant)
    async with kit.transaction(tenant) as tx:
        tx.emit(NoteWritten.model_validate(NoteWritten.EXAMPLE), aggregate_id=new_id())
    await at_most(kit, 3, now=purge_at, tenant=tenant)
    await at_most(kit, 3, now=purge_at + HOUR, tenant=tenant)
    assert (await rows_of(kit, tenant))["note"] == MANY
    async with kit.transaction(tenant) as tx:  # as the relay does
        await tx.connection.execute("DELETE FROM outbox")
    await at_most(kit, 2, now=purge_at + 2 * HOUR, tenant=tenant)
    assert (await rows_of(kit, tenant)).get("remark", 0) < MANY
