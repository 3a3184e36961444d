"""SQL of deliveries and their attempts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, delete, func, literal_column, null, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_gateway.subscriptions.domain import KeptEvent
from crm_gateway.subscriptions.tables import kept_event
from crm_gateway.webhooks.domain.deliveries import Attempt, Delivery, Reason, Settled, State
from crm_gateway.webhooks.tables import webhook_attempt, webhook_delivery
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of
from crm_shared.ids import new_id

d, a, k = webhook_delivery.c, webhook_attempt.c, kept_event.c
_FIELDS = [d[name] for name in Delivery.__dataclass_fields__]
_FORGET_CHUNK = 2_000
_PENDING = literal_column("'pending'", Text())

_GET = select(*_FIELDS).where(d.endpoint_id == bindparam("endpoint"), d.id == bindparam("id"))
_DUE = (
    select(*_FIELDS, k.event.label("text"))
    .join_from(webhook_delivery, kept_event, and_(k.tenant_id == d.tenant_id, k.position == d.position), isouter=True)
    .where(
        d.endpoint_id == bindparam("endpoint"),
        d.state == _PENDING,
        d.next_at <= bindparam("now", type_=d.next_at.type),
    )
    .order_by(d.next_at, d.position)
    .limit(bindparam("n"))
)
_NEXT = select(func.min(d.next_at)).where(d.endpoint_id == bindparam("endpoint"), d.state == _PENDING)
_begin = insert(webhook_delivery).values(
    tenant_id=bindparam("tenant_id"),
    id=bindparam("id"),
    endpoint_id=bindparam("endpoint_id"),
    event_id=bindparam("event_id"),
    type=bindparam("type"),
    subject=bindparam("subject"),
    position=bindparam("position"),
    state=State.PENDING.value,
    attempts=0,
    failures=0,
    next_at=bindparam("now"),
    created_at=bindparam("now"),
)
_BEGIN = _begin.on_conflict_do_update(
    index_elements=[d.tenant_id, d.endpoint_id, d.event_id],
    set_={
        "state": State.PENDING.value,
        "failures": 0,
        "reason": null(),
        "settled_at": null(),
        "next_at": _begin.excluded.next_at,
    },
    where=d.state != _PENDING,
)
_SETTLE = (
    update(webhook_delivery)
    .where(d.id == bindparam("i"))
    .values(
        state=bindparam("s"),
        reason=bindparam("r"),
        failures=bindparam("f"),
        next_at=bindparam("n"),
        settled_at=bindparam("at"),
        attempts=d.attempts + bindparam("tried"),
    )
)
_TRIED = insert(webhook_attempt).values({column: bindparam(column.name) for column in webhook_attempt.c})


async def due(tx: Tx, endpoint_id: UUID, *, limit: int, now: datetime) -> list[tuple[Delivery, str | None]]:
    """What is to be tried again now, each with its event's text while that is kept."""
    rows = await tx.all(_DUE, {"endpoint": endpoint_id, "now": now, "n": limit})
    return [(_delivery(row), row["text"]) for row in rows]


async def next_due(tx: Tx, endpoint_id: UUID) -> datetime | None:
    """When the endpoint's next repeat is due."""
    return await tx.scalar(_NEXT, {"endpoint": endpoint_id})


async def begin(tx: Tx, endpoint_id: UUID, events: Sequence[KeptEvent], *, now: datetime) -> list[Delivery]:
    """Begin the delivery of these events, anew where it was settled; one that is under way already is left out."""
    if not events:
        return []
    await tx.many(
        _BEGIN,
        [
            {
                "tenant_id": tx.tenant,
                "id": new_id(),
                "endpoint_id": endpoint_id,
                "event_id": event.event_id,
                "type": event.type,
                "subject": event.subject,
                "position": event.position,
                "now": now,
            }
            for event in events
        ],
    )
    begun = select(*_FIELDS).where(
        d.endpoint_id == endpoint_id,
        any_of(d.event_id, [event.event_id for event in events]),
        d.failures == 0,
        d.state == _PENDING,
    )
    return [_delivery(row) for row in await tx.all(begun)]


async def locked(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Delivery]:
    """Those of these deliveries that there still are, locked in the order of their ids."""
    rows = await tx.all(select(*_FIELDS).where(any_of(d.id, sorted(ids))).order_by(d.id).with_for_update())
    return {row["id"]: _delivery(row) for row in rows}


async def settle(tx: Tx, settled: Mapping[UUID, Settled], attempts: Mapping[UUID, Attempt], *, now: datetime) -> None:
    """Write down what deliveries came to, and the attempts that decided it."""
    await tx.many(
        _SETTLE,
        [
            {
                "i": one,
                "s": what.state.value,
                "r": what.reason.value if what.reason else None,
                "f": what.failures,
                "n": what.next_at,
                "at": now if what.state is not State.PENDING else None,
                "tried": int(one in attempts),
            }
            for one, what in settled.items()
        ],
    )
    await tx.many(
        _TRIED,
        [
            {
                "tenant_id": tx.tenant,
                "delivery_id": one,
                "number": attempt.number,
                "at": attempt.at,
                "status": attempt.status,
                "error": attempt.error,
                "duration_ms": attempt.duration_ms,
                "told": attempt.told,
            }
            for one, attempt in attempts.items()
        ],
    )


async def drop_pending(tx: Tx, endpoint_id: UUID, reason: Reason, *, now: datetime) -> int:
    """Give up whatever waits for this endpoint; says how much that was."""
    return await tx.run(
        update(webhook_delivery)
        .where(d.endpoint_id == endpoint_id, d.state == _PENDING)
        .values(state=State.DROPPED.value, reason=reason.value, next_at=None, settled_at=now)
    )


async def insert_delivery(tx: Tx, new: Delivery) -> None:
    """Keep a delivery as it is."""
    values = {name: getattr(new, name) for name in Delivery.__dataclass_fields__}
    await tx.run(insert(webhook_delivery).values(tenant_id=tx.tenant, **{**values, "state": new.state.value}))


async def restart(tx: Tx, delivery_id: UUID, *, now: datetime) -> Delivery:
    """Begin a delivery anew, at once."""
    row = await tx.one(
        update(webhook_delivery)
        .where(d.id == delivery_id)
        .values(state=State.PENDING.value, reason=None, failures=0, next_at=now, settled_at=None)
        .returning(*_FIELDS)
    )
    assert row is not None
    return _delivery(row)


async def get_delivery(tx: Tx, endpoint_id: UUID, delivery_id: UUID, *, lock: bool = False) -> Delivery | None:
    """One delivery to this endpoint."""
    row = await tx.one(_GET.with_for_update() if lock else _GET, {"endpoint": endpoint_id, "id": delivery_id})
    return _delivery(row) if row else None


async def list_deliveries(
    tx: Tx, endpoint_id: UUID, states: Sequence[str], *, limit: int, after: tuple[Any, ...] | None
) -> list[Delivery]:
    """The log of an endpoint, newest first."""
    chosen = select(*_FIELDS).where(d.endpoint_id == endpoint_id).order_by(d.id.desc()).limit(limit)
    if states:
        chosen = chosen.where(any_of(d.state, list(states)))
    if after is not None:
        chosen = chosen.where(d.id < after[0])
    return [_delivery(row) for row in await tx.all(chosen)]


async def attempts_of(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, list[Attempt]]:
    """The attempts of these deliveries, first to last."""
    rows = await tx.all(select(webhook_attempt).where(any_of(a.delivery_id, ids)).order_by(a.delivery_id, a.number))
    found: dict[UUID, list[Attempt]] = {}
    for row in rows:
        attempt = Attempt(*(row[name] for name in Attempt.__dataclass_fields__))
        found.setdefault(row["delivery_id"], []).append(attempt)
    return found


async def event_is_kept(tx: Tx, position: int | None) -> bool:
    """Whether there is still something to send."""
    return position is not None and await tx.scalar(select(k.position).where(k.position == position)) is not None


async def forget_old(tx: Tx, before: datetime) -> bool:
    """Remove a chunk of the log from before a time; says whether there may be more."""
    old = select(d.id).where(d.tenant_id == tx.tenant, d.created_at < before).limit(_FORGET_CHUNK)
    ids = [row["id"] for row in await tx.all(old)]
    return bool(ids) and await tx.run(delete(webhook_delivery).where(any_of(d.id, ids))) == _FORGET_CHUNK


def _delivery(row: Record) -> Delivery:
    fields: dict[str, Any] = {name: row[name] for name in Delivery.__dataclass_fields__}
    return replace(Delivery(**fields), state=State(row["state"]))
