"""Statements on reservations. What makes a double offer impossible: unique indexes, and guards in the UPDATEs."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, bindparam, func, insert, literal, select, tuple_, update

from crm_contact_center.routing.domain.queues import Offer, Reservation, ReservationState
from crm_contact_center.routing.tables import reservation
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param
from crm_shared.tenancy import Viewer

_r = reservation.c

_FIELDS = list(Reservation.__dataclass_fields__)
_SEEN = select(*(_r[name] for name in _FIELDS))
# One statement for the whole batch: planned once, where a statement for each row would be planned for each row.
_given = func.unnest(
    *(bindparam(f"{name}s", type_=ARRAY(_r[name].type)) for name in Offer._fields)
).table_valued(*Offer._fields).render_derived()  # fmt: skip
_OFFER = insert(reservation).from_select(
    ["tenant_id", "state", "created_at", *Offer._fields],
    select(
        bindparam("tenant_id", type_=_r.tenant_id.type),
        literal(ReservationState.PENDING.value, _r.state.type),
        bindparam("at", type_=_r.created_at.type),
        *(_given.c[name] for name in Offer._fields),
    ),
)
_GET = _SEEN.where(_r.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_LIVE_OF_INTERACTION = _SEEN.where(
    _r.interaction_id == bindparam("id"), any_of(_r.state, ["pending", "accepted"])
).with_for_update()
_LIVE_OF_AGENT = _SEEN.where(
    _r.agent_id == bindparam("id"), any_of(_r.state, ["pending", "accepted", "wrapping"])
).order_by(_r.interaction_id)
_OF_VISITS = _SEEN.where(any_param(_r.visit_id, "ids")).order_by(_r.created_at)
_ACCEPT = (
    update(reservation)
    .where(
        _r.id == bindparam("i"),
        _r.state == ReservationState.PENDING.value,
        _r.expires_at > bindparam("at", type_=_r.expires_at.type),
    )
    .values(state=ReservationState.ACCEPTED.value, accepted_at=bindparam("at"), version=_r.version + 1)
)
_MOVE = (
    update(reservation)
    .where(_r.id == bindparam("i"), any_param(_r.state, "from_states"))
    .values(
        state=bindparam("s"),
        reason=bindparam("why"),
        ended_at=bindparam("ended"),
        closed_at=bindparam("closed"),
        hold_s=bindparam("hold"),
        version=_r.version + 1,
    )
)
_EXPIRED = (
    select(_r.id, _r.visit_id, _r.agent_id)
    .where(_r.state == ReservationState.PENDING.value, _r.expires_at <= bindparam("now", type_=_r.expires_at.type))
    .order_by(_r.expires_at)
    .limit(bindparam("limit"))
)
_EXPIRE = (
    update(reservation)
    .where(
        any_param(_r.id, "ids"),
        _r.state == ReservationState.PENDING.value,
        _r.expires_at <= bindparam("now", type_=_r.expires_at.type),
    )
    .values(
        state=ReservationState.TIMEOUT.value, reason="no_answer", closed_at=bindparam("now"), version=_r.version + 1
    )
    .returning(*(_r[name] for name in _FIELDS))
)
_DROP_CARDS = update(reservation).where(any_param(_r.interaction_id, "ids")).values(card=None)
_COUNT_LIVE = select(func.count()).where(
    _r.agent_id == bindparam("id"), any_param(_r.state, "states"), _r.id != bindparam("but")
)


async def offer(tx: Tx, made: Sequence[Offer], at: datetime) -> None:
    """Keep new reservations; a second live one for an interaction violates the unique index."""
    columns = {f"{name}s": column for name, column in zip(Offer._fields, zip(*made, strict=True), strict=True)}
    await tx.run(_OFFER, {"tenant_id": tx.tenant, "at": at, **columns})


async def get(tx: Tx, reservation_id: UUID) -> Reservation | None:
    """One reservation."""
    row = await tx.one(_GET, {"id": reservation_id})
    return _read(row) if row else None


async def view(tx: Tx, viewer: Viewer, reservation_id: UUID) -> Reservation | None:
    """One reservation, as anybody in the tenant may see it."""
    return await get(tx, reservation_id)


async def lock(tx: Tx, reservation_id: UUID) -> Reservation | None:
    """One reservation, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": reservation_id})
    return _read(row) if row else None


async def lock_live_of_interaction(tx: Tx, interaction_id: UUID) -> Reservation | None:
    """The offer or conversation that an interaction is in, held until the transaction ends."""
    row = await tx.one(_LIVE_OF_INTERACTION, {"id": interaction_id})
    return _read(row) if row else None


async def live_of_agent(tx: Tx, agent_id: UUID) -> list[Reservation]:
    """Everything that takes of an agent's capacity, by interaction."""
    return [_read(row) for row in await tx.all(_LIVE_OF_AGENT, {"id": agent_id})]


async def count_of_agent(tx: Tx, agent_id: UUID, states: Collection[ReservationState], *, but: UUID) -> int:
    """How many reservations in these states an agent has, one left out."""
    params = {"id": agent_id, "states": [state.value for state in states], "but": but}
    count: int = await tx.scalar(_COUNT_LIVE, params)
    return count


async def of_visits(tx: Tx, visit_ids: Collection[UUID]) -> list[Reservation]:
    """All offers made during these visits, oldest first."""
    return [_read(row) for row in await tx.all(_OF_VISITS, {"ids": list(visit_ids)})]


async def overlapping(tx: Tx, agent_ids: Collection[UUID], since: datetime, until: datetime) -> list[Reservation]:
    """What took of these agents' capacity in a time."""
    rows = await tx.all(
        _SEEN.where(
            any_of(_r.agent_id, agent_ids),
            _r.created_at < until,
            (_r.closed_at.is_(None)) | (_r.closed_at > since),
        ).order_by(_r.created_at)
    )
    return [_read(row) for row in rows]


async def mark_accepted(tx: Tx, reservation_id: UUID, at: datetime) -> bool:
    """Accept if, and only if, it is still pending and hasn't run out."""
    return await tx.run(_ACCEPT, {"i": reservation_id, "at": at}) > 0


async def move(tx: Tx, seen: Reservation, moved: Reservation) -> bool:
    """Move a reservation on if it is still in the state that was seen; says whether it was."""
    params = {
        "i": seen.id,
        "from_states": [seen.state.value],
        "s": moved.state.value,
        "why": moved.reason,
        "ended": moved.ended_at,
        "closed": moved.closed_at,
        "hold": moved.hold_s,
    }
    return await tx.run(_MOVE, params) > 0


async def expired(tx: Tx, now: datetime, limit: int) -> list[Record]:
    """Offers that nobody answered in time: ids of reservation, visit and agent."""
    return await tx.all(_EXPIRED, {"now": now, "limit": limit})


async def expire(tx: Tx, ids: Collection[UUID], now: datetime) -> list[Reservation]:
    """Time these out, those that are still pending; gives them."""
    return [_read(row) for row in await tx.all(_EXPIRE, {"ids": list(ids), "now": now})]


async def list_of_agent(
    tx: Tx, viewer: Viewer, filters: Any, agent_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Reservation]:
    """An agent's reservations, newest first."""
    statement = _SEEN.where(_r.agent_id == agent_id).order_by(_r.created_at.desc(), _r.id.desc()).limit(limit)
    if filters.state is not None:
        statement = statement.where(_r.state == filters.state)
    if filters.live:
        statement = statement.where(any_of(_r.state, ["pending", "accepted", "wrapping"]))
    if after is not None:
        statement = statement.where(tuple_(_r.created_at, _r.id) < tuple_(*after))
    return [_read(row) for row in await tx.all(statement)]


async def drop_cards(tx: Tx, interaction_ids: Collection[UUID]) -> None:
    """Forget the cards shown for these interactions."""
    await tx.run(_DROP_CARDS, {"ids": list(interaction_ids)})


def _read(row: Record) -> Reservation:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    values["state"] = ReservationState(row["state"])
    return Reservation(**values)
