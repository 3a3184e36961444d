"""Statements of the dispatcher: its lease with a fencing epoch, and capacity taken for a batch of offers."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_contact_center.agents.tables import agent
from crm_contact_center.routing.tables import routing_shard
from crm_shared.db.pool import Tx

_s, _a = routing_shard.c, agent.c

_ENSURE = insert(routing_shard).values(tenant_id=bindparam("tenant_id"), shard=0).on_conflict_do_nothing()
_LOCK = select(_s.holder, _s.epoch, _s.lease_until).where(_s.shard == 0).with_for_update()
_HOLD = (
    update(routing_shard)
    .where(_s.shard == 0)
    .values(holder=bindparam("h"), epoch=bindparam("e"), lease_until=bindparam("until"))
)
_TIMER = update(routing_shard).where(_s.shard == 0).values(next_timer_at=bindparam("at"))
_WITH_TIMERS = select(_s.tenant_id).where(_s.next_timer_at <= bindparam("now", type_=_s.next_timer_at.type))

_taken = func.unnest(
    bindparam("ids", type_=ARRAY(Uuid())), bindparam("units", type_=ARRAY(SmallInteger()))
).table_valued("id", "units").render_derived()  # fmt: skip
_TAKE = (
    update(agent)
    .where(_a.id == _taken.c.id, _a.state == "available", _a.retired.is_(False), _a.used + _taken.c.units <= _a.cap)
    .values(
        used=_a.used + _taken.c.units,
        idle_since=bindparam("at", type_=_a.idle_since.type),
        last_offered_at=bindparam("at", type_=_a.idle_since.type),
    )
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who dispatches a tenant's offers; every change of hands raises the epoch."""

    holder: UUID | None
    epoch: int
    until: datetime | None


async def ensure_shard(tx: Tx) -> None:
    """A tenant with queues has a shard."""
    await tx.run(_ENSURE, {"tenant_id": tx.tenant})


async def lock_lease(tx: Tx) -> Lease | None:
    """The lease, held until the transaction ends: whoever writes offers holds this row."""
    row = await tx.one(_LOCK, {})
    return Lease(row["holder"], row["epoch"], row["lease_until"]) if row else None


async def hold_lease(tx: Tx, lease: Lease) -> None:
    """Take or prolong the lease."""
    await tx.run(_HOLD, {"h": lease.holder, "e": lease.epoch, "until": lease.until})


async def set_next_timer(tx: Tx, at: datetime | None) -> None:
    """When the shard has to be looked at even if nothing changes."""
    await tx.run(_TIMER, {"at": at})


async def tenants_with_timers(tx: Tx, now: datetime) -> list[UUID]:
    """Whose shard has to be looked at now; for a transaction across tenants."""
    return [row["tenant_id"] for row in await tx.all(_WITH_TIMERS, {"now": now})]


async def take_capacity(tx: Tx, units: Mapping[UUID, int], at: datetime) -> int:
    """Take units of agents who are available and have that much room; says how many agents that was."""
    ids = sorted(units)  # locked in the order of their ids, as everywhere
    return await tx.run(_TAKE, {"ids": ids, "units": [units[agent_id] for agent_id in ids], "at": at})


@asynccontextmanager
async def attempt(tx: Tx) -> AsyncGenerator[None]:
    """Undo what the block has written if it finds the rows otherwise than it was told; the transaction goes on."""
    await tx.connection.execute("SAVEPOINT attempt")
    try:
        yield
    except OutOfDate:
        await tx.connection.execute("ROLLBACK TO SAVEPOINT attempt")
        raise


class OutOfDate(Exception):  # an event, not an error: somebody was quicker
    """Rows are not as the index saw them."""
