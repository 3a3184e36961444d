"""SQL of kept events."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_gateway.subscriptions.domain import Head, KeptEvent
from crm_gateway.subscriptions.tables import event_head, kept_event
from crm_shared.db.pool import Database, Record, Tx
from crm_shared.db.statements import any_of

h, k = event_head.c, kept_event.c

_PRUNE_CHUNK = 2_000

_incoming = insert(event_head).values(
    tenant_id=bindparam("tenant_id"), latest=bindparam("more"), latest_at=func.clock_timestamp()
)
_RESERVE = _incoming.on_conflict_do_update(
    index_elements=[h.tenant_id],
    set_={
        "latest": h.latest + _incoming.excluded.latest,
        "latest_at": func.greatest(h.latest_at, func.clock_timestamp()),
    },
).returning(h.latest, h.latest_at)
_KEEP = insert(kept_event).values({column: bindparam(column.name) for column in kept_event.c})
_HEAD = select(h.latest, h.pruned_to).where(h.tenant_id == bindparam("tenant_id"))
_SHOWN = (k.position, k.kept_at, k.event_id, k.type, k.subject, k.event)


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event that is to be kept."""

    event_id: UUID
    type: str
    subject: str
    about: Sequence[UUID]
    text: str


async def keep(tx: Tx, events: Sequence[Arrived]) -> None:
    """Keep events in this order. The tenant's head stays locked until the commit, so positions follow the commits."""
    row = await tx.one(_RESERVE, {"tenant_id": tx.tenant, "more": len(events)})
    assert row is not None
    first = row["latest"] - len(events) + 1
    await tx.many(
        _KEEP,
        [
            {
                "tenant_id": tx.tenant,
                "position": first + nth,
                "kept_at": row["latest_at"],
                "event_id": event.event_id,
                "type": event.type,
                "subject": event.subject,
                "about": list(event.about),
                "event": event.text,
            }
            for nth, event in enumerate(events)
        ],
    )


async def forget(tx: Tx, person: UUID) -> int:
    """Remove every kept event that speaks of this person; says how many."""
    found = await tx.find(select(k.position).where(k.about.contains([person])))
    if not found:
        return 0
    return await tx.run(delete(kept_event).where(any_of(k.position, [row["position"] for row in found])))


async def head(tx: Tx) -> Head:
    """How far the tenant's kept events reach."""
    row = await tx.one(_HEAD, {"tenant_id": tx.tenant})
    return Head(row["latest"], row["pruned_to"]) if row else Head()


async def read_after(
    tx: Tx,
    position: int,
    *,
    limit: int,
    types: Collection[str] | None = None,
    subject: str | None = None,
    up_to: int | None = None,
) -> list[KeptEvent]:
    """The first events after a position, of these types and about this subject where one is named."""
    statement = select(*_SHOWN).where(k.tenant_id == tx.tenant, k.position > position)
    if up_to is not None:
        statement = statement.where(k.position <= up_to)
    if types is not None:
        statement = statement.where(any_of(k.type, sorted(types)))
    if subject is not None:
        statement = statement.where(k.subject == subject)
    return [_kept(row) for row in await tx.all(statement.order_by(k.position).limit(limit))]


async def position_before(tx: Tx, since: datetime, head: Head) -> int:
    """The position after which everything was kept at this time or later."""
    statement = (
        select(k.position)
        .where(k.tenant_id == tx.tenant, k.kept_at >= since)
        .order_by(k.tenant_id, k.kept_at, k.position)
        .limit(1)
    )
    first = await tx.scalar(statement)
    return head.latest if first is None else first - 1


async def tenants_with_events(database: Database) -> list[UUID]:
    """Every tenant that has kept events, or had some."""
    async with database.across() as tx:
        return [row["tenant_id"] for row in await tx.all(select(h.tenant_id).order_by(h.tenant_id))]


async def prune(tx: Tx, before: datetime) -> bool:
    """Remove a chunk of what was kept before a time; says whether there may be more."""
    oldest = (
        select(k.position)
        .where(k.tenant_id == tx.tenant, k.kept_at < before)
        .order_by(k.tenant_id, k.kept_at, k.position)
        .limit(_PRUNE_CHUNK)
    )
    positions = [row["position"] for row in await tx.all(oldest)]
    if not positions:
        return False
    # The head first, as whoever keeps events does: else the two could wait for each other.
    await tx.run(update(event_head).where(h.tenant_id == tx.tenant).values(pruned_to=positions[-1]))
    await tx.run(delete(kept_event).where(k.tenant_id == tx.tenant, k.position <= positions[-1]))
    return len(positions) == _PRUNE_CHUNK


def _kept(row: Record) -> KeptEvent:
    return KeptEvent(row["position"], row["kept_at"], row["event_id"], row["type"], row["subject"], row["event"])
