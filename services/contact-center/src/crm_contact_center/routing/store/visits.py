"""Statements on visits to queues."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, bindparam, func, insert, select, update

from crm_contact_center.routing.domain.queues import Visit, VisitState
from crm_contact_center.routing.tables import queue_visit
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param

_v = queue_visit.c

_FIELDS = list(Visit.__dataclass_fields__)
_SEEN = select(*(_v[name] for name in _FIELDS))
_INSERT = insert(queue_visit).values({name: bindparam(name) for name in ("tenant_id", *_FIELDS)})
_LIVE = _SEEN.where(_v.interaction_id == bindparam("id"), any_of(_v.state, ["waiting", "offered"])).with_for_update()
_GET = _SEEN.where(_v.id == bindparam("id"))
_MANY = _SEEN.where(any_param(_v.id, "ids"))
_LOCK_MANY = _MANY.order_by(_v.id).with_for_update()
_WAITING = _SEEN.where(_v.state == VisitState.WAITING.value)
_WAITING_IN = select(_v.id).where(_v.queue_id == bindparam("id"), _v.state == VisitState.WAITING.value)
_OF_INTERACTION = _SEEN.where(_v.interaction_id == bindparam("id")).order_by(_v.entered_at, _v.id)
_seen = func.unnest(
    bindparam("ids", type_=ARRAY(_v.id.type)), bindparam("versions", type_=ARRAY(_v.version.type))
).table_valued("id", "version").render_derived()  # fmt: skip
_OFFER = (
    update(queue_visit)
    .where(_v.id == _seen.c.id, _v.version == _seen.c.version, _v.state == VisitState.WAITING.value)
    .values(state=VisitState.OFFERED.value, offers=_v.offers + 1, version=_v.version + 1)
    .returning(_v.id, _v.interaction_id, _v.queue_id, _v.channel)
)
_LEAVE = (
    update(queue_visit)
    .where(_v.id == bindparam("i"), any_of(_v.state, ["waiting", "offered"]))
    .values(state=bindparam("s"), left_at=bindparam("at"), version=_v.version + 1)
)
_RETURN = (
    update(queue_visit)
    .where(_v.id == bindparam("i"), _v.state == VisitState.OFFERED.value)
    .values(state=VisitState.WAITING.value, excluded=bindparam("x", type_=_v.excluded.type), version=_v.version + 1)
)
_AHEAD = select(func.count()).where(
    _v.queue_id == bindparam("queue"),
    _v.state == VisitState.WAITING.value,
    _v.place_at < bindparam("place", type_=_v.place_at.type),
)


async def insert_visit(tx: Tx, made: Visit) -> None:
    """An interaction begins to wait; the unique index allows one wait at a time."""
    values = {name: getattr(made, name) for name in _FIELDS}
    values |= {"needs": dict(made.needs), "excluded": dict(made.excluded), "state": made.state.value}
    await tx.run(_INSERT, {"tenant_id": tx.tenant, **values})


async def lock_live(tx: Tx, interaction_id: UUID) -> Visit | None:
    """The wait that an interaction is in, held until the transaction ends."""
    row = await tx.one(_LIVE, {"id": interaction_id})
    return _read(row) if row else None


async def get(tx: Tx, visit_id: UUID) -> Visit | None:
    """One visit."""
    row = await tx.one(_GET, {"id": visit_id})
    return _read(row) if row else None


async def get_many(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Visit]:
    """These visits by id."""
    return {row["id"]: _read(row) for row in await tx.all(_MANY, {"ids": list(ids)})}


async def lock_many(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Visit]:
    """These visits, held until the transaction ends; locked in the order of their ids, as everywhere."""
    return {row["id"]: _read(row) for row in await tx.all(_LOCK_MANY, {"ids": list(ids)})}


async def waiting(tx: Tx) -> list[Visit]:
    """Everyone who waits for an offer."""
    return [_read(row) for row in await tx.all(_WAITING, {})]


async def waiting_in(tx: Tx, queue_id: UUID) -> list[UUID]:
    """The visits that wait in a queue."""
    return [row["id"] for row in await tx.all(_WAITING_IN, {"id": queue_id})]


async def of_interaction(tx: Tx, interaction_id: UUID) -> list[Visit]:
    """All waits of an interaction, the first one first."""
    return [_read(row) for row in await tx.all(_OF_INTERACTION, {"id": interaction_id})]


async def mark_offered(tx: Tx, seen: Mapping[UUID, int]) -> list[Record]:
    """Those of these that still wait in the version seen are being offered: their interaction, queue and channel."""
    ids = sorted(seen)  # so that they are locked in the order of their ids, as everywhere
    return await tx.all(_OFFER, {"ids": ids, "versions": [seen[visit_id] for visit_id in ids]})


async def leave(tx: Tx, visit_id: UUID, state: VisitState, at: datetime) -> bool:
    """The wait is over; says whether it was still going on."""
    return await tx.run(_LEAVE, {"i": visit_id, "s": state.value, "at": at}) > 0


async def back_to_waiting(tx: Tx, visit_id: UUID, excluded: dict[str, float]) -> bool:
    """The offer came to nothing: the wait goes on at its old place."""
    return await tx.run(_RETURN, {"i": visit_id, "x": excluded}) > 0


async def ahead_of(tx: Tx, visit: Visit) -> int:
    """How many wait before this one in its queue."""
    count: int = await tx.scalar(_AHEAD, {"queue": visit.queue_id, "place": visit.place_at})
    return count


def _read(row: Record) -> Visit:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    values["state"] = VisitState(row["state"])
    return Visit(**values)
