"""A tenant that leaves: its work rests, after a grace all its rows go, and a tombstone keeps any from coming back.

Until the purge begins the tenant can come back to what it left: events still shape its data, only due work and long
jobs wait. Then each service deletes its rows in short transactions, each of them a piece of due work that schedules the
next; so whoever is killed, another goes on. What is left is the tombstone, and tables that outlive their tenants.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Table, bindparam, delete, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_shared.db.backbone_tables import outbox
from crm_shared.db.due import PURGE, RESTING, Due, schedule, unschedule
from crm_shared.db.metadata import is_walled
from crm_shared.db.pool import Tx
from crm_shared.db.tables import departed, due, operation
from crm_shared.observability.logs import logger

_log = logger("departures")
_KEY = "all"
_CHUNK = 1_000
"""Rows of one transaction: it is over in some tens of milliseconds, and so are its locks and its snapshot."""
_SETTLES = timedelta(minutes=2)
"""Between the tombstone and the first deletion: transactions that didn't see it have ended, tokens have run out."""
_LAST_LOOK = timedelta(hours=1)
"""So long after the beginning a purge looks once more; a job that couldn't be stopped has ended by then."""
_LAST_CALL = timedelta(days=5)
"""Nobody comes back later than this before the purge: a service that hears of it late would have begun."""

_t = departed.c
_tombstone = insert(departed).values(tenant_id=bindparam("tenant_id"), purge_at=bindparam("purge_at"))
_LEAVE = _tombstone.on_conflict_do_nothing()
_RETURN = delete(departed).where(_t.begun_at.is_(None))
_WAKE = update(due).where(due.c.due_at == bindparam("resting")).values(due_at=bindparam("now"))
_STATE = select(_t.purge_at, _t.begun_at).with_for_update()
_PURGE_AT = select(_t.purge_at)
_BEGIN = update(departed).values(begun_at=bindparam("now"))
_CANCEL = update(operation).where(operation.c.finished_at.is_(None)).values(cancel_requested=literal_column("true"))
_UNSENT = select(outbox.c.id).where(outbox.c.parked_at.is_(None)).limit(1)
_END = update(departed).values(purged_at=bindparam("now"))


async def leave(tx: Tx, *, purge_at: datetime) -> None:
    """The tenant leaves: its due work and long jobs rest from now on, and its rows go when the time has come."""
    if await tx.run(_LEAVE, {"tenant_id": tx.tenant, "purge_at": purge_at}):
        await schedule(tx, PURGE, key=_KEY, due_at=purge_at)


async def come_back(tx: Tx, *, now: datetime) -> bool:
    """The tenant is here again, and what rested goes on; says whether it had left and its purge hadn't begun."""
    if not await tx.run(_RETURN):
        return False
    await unschedule(tx, PURGE, key=_KEY)
    await tx.run(_WAKE, {"resting": RESTING, "now": now})
    return True


async def has_left(tx: Tx) -> bool:
    """Whether the tenant has left, however long ago."""
    return await tx.scalar(_PURGE_AT) is not None


async def may_come_back(tx: Tx, *, now: datetime) -> bool:
    """Whether everything of this tenant is still there, and will be until all services have heard of its return."""
    purge_at = await tx.scalar(_PURGE_AT)
    return purge_at is None or now < purge_at - _LAST_CALL


class Purge:
    """The due work that deletes a tenant's rows: all tables of a service, children before their parents."""

    def __init__(self, tables: Iterable[Table]) -> None:
        # Names from our own declarations; row-level security confines each statement to the tenant besides.
        self._deletions = [
            f'DELETE FROM "{table.name}" WHERE ctid = ANY(ARRAY('  # noqa: S608
            f'SELECT ctid FROM "{table.name}" WHERE tenant_id = $1 LIMIT $2))'
            for table in tables
            if is_walled(table) and not table.info["outlives"]
        ]

    async def turn(self, tx: Tx, piece: Due, *, now: datetime) -> None:
        """One short step, and the date of the next."""
        del piece
        state = await tx.one(_STATE)
        if state is None:
            return
        next_at = await self._step(tx, state["begun_at"], now)
        if next_at is not None:
            await schedule(tx, PURGE, key=_KEY, due_at=next_at)

    async def _step(self, tx: Tx, begun_at: datetime | None, now: datetime) -> datetime | None:
        if begun_at is None:
            await tx.run(_BEGIN, {"now": now})
            await tx.run(_CANCEL)
            return now + _SETTLES
        if await tx.scalar(_UNSENT) is not None:  # what happened here is told before it is forgotten
            return now + _SETTLES
        if await self._delete_some(tx):
            return now
        if now < begun_at + _LAST_LOOK:
            return begun_at + _LAST_LOOK
        await tx.run(_END, {"now": now})
        _log.info("tenant_purged", tenant=str(tx.tenant))
        return None

    async def _delete_some(self, tx: Tx) -> int:
        """Each step begins with the first table again, so that a row which came late holds nothing up for long."""
        deleted = 0
        for deletion in self._deletions:
            status = await tx.connection.execute(deletion, tx.tenant, _CHUNK - deleted)
            deleted += int(status.rsplit(" ", 1)[-1])
            if deleted >= _CHUNK:
                break
        return deleted
