"""Notes for the dispatcher, written in the transaction that makes the change and read without a cursor.

A reader takes and deletes what is there. So a note whose transaction commits late is found late, never missed, and
writers never wait for each other or for the dispatcher.
"""

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from crm_contact_center.changes.tables import routing_change
from crm_shared.bus.wake import ring_all
from crm_shared.db.pool import Tx
from crm_shared.ids import new_id

DOORBELL = "contact-center.routing"

_c = routing_change.c
_NOTE = insert(routing_change).values({name: bindparam(name) for name in ("tenant_id", "id", "kind", "subject_id")})
_SOME = select(_c.id).order_by(_c.id).limit(bindparam("limit")).with_for_update(skip_locked=True)
_TAKE = delete(routing_change).where(_c.id.in_(_SOME.scalar_subquery())).returning(_c.kind, _c.subject_id)
_TENANTS = select(_c.tenant_id).distinct()


class Subject(StrEnum):
    """What has changed."""

    VISIT = "visit"
    AGENT = "agent"


async def note(tx: Tx, subject: Subject, ids: Iterable[UUID]) -> None:
    """Have the dispatcher look at these again, as soon as this transaction has committed."""
    rows = [{"tenant_id": tx.tenant, "id": new_id(), "kind": subject.value, "subject_id": found} for found in ids]
    if len(rows) == 1:
        await tx.run(_NOTE, rows[0])
    elif rows:
        await tx.many(_NOTE, rows)
    tx.after_commit.append(_ring)


async def take(tx: Tx, limit: int) -> tuple[set[UUID], set[UUID]]:
    """Up to `limit` notes, removed: the visits and the agents they speak of."""
    rows = await tx.all(_TAKE, {"limit": limit})
    visits = {row["subject_id"] for row in rows if row["kind"] == Subject.VISIT}
    return visits, {row["subject_id"] for row in rows if row["kind"] == Subject.AGENT}


async def tenants_with_notes(tx: Tx) -> list[UUID]:
    """Whose dispatcher has something to do; for a transaction across tenants."""
    return [row["tenant_id"] for row in await tx.all(_TENANTS, {})]


def _ring() -> None:
    ring_all(DOORBELL)
