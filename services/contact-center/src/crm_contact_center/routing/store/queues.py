"""Statements on queues."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from crm_contact_center.routing.domain.queues import Queue
from crm_contact_center.routing.domain.requirements import RelaxationStep, RoutingStrategy
from crm_contact_center.routing.tables import queue, queue_visit
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param
from crm_shared.tenancy import Viewer

_q, _v = queue.c, queue_visit.c

_FIELDS = list(Queue.__dataclass_fields__)
_SEEN = select(*(_q[name] for name in _FIELDS))
_GET = _SEEN.where(_q.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_MANY = _SEEN.where(any_param(_q.id, "ids"))
_OPEN = _SEEN.where(_q.archived.is_(False)).order_by(_q.created_at, _q.id)
_INSERT = insert(queue).values({name: bindparam(name) for name in ("tenant_id", *_FIELDS)})
_CHANGING = [name for name in _FIELDS if name not in ("id", "created_at")]
_SAVE = update(queue).where(_q.id == bindparam("i")).values({name: bindparam(f"b_{name}") for name in _CHANGING})
_WAITING = (
    select(func.count().label("waiting"), func.min(_v.place_at).label("longest_since"))
    .where(_v.queue_id == bindparam("id"), _v.state == "waiting")
)  # fmt: skip


async def insert_queue(tx: Tx, made: Queue) -> None:
    """Keep a new queue."""
    await tx.run(_INSERT, {"tenant_id": tx.tenant, **_values(made)})


async def save(tx: Tx, changed: Queue) -> None:
    """Keep a changed queue."""
    values = _values(changed)
    await tx.run(_SAVE, {"i": changed.id, **{f"b_{name}": values[name] for name in _CHANGING}})


async def get(tx: Tx, queue_id: UUID) -> Queue | None:
    """One queue."""
    row = await tx.one(_GET, {"id": queue_id})
    return _read(row) if row else None


async def view(tx: Tx, viewer: Viewer, queue_id: UUID) -> Queue | None:
    """One queue, as anybody in the tenant may see it."""
    return await get(tx, queue_id)


async def lock(tx: Tx, queue_id: UUID) -> Queue | None:
    """One queue, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": queue_id})
    return _read(row) if row else None


async def get_many(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Queue]:
    """These queues by id."""
    return {row["id"]: _read(row) for row in await tx.all(_MANY, {"ids": list(ids)})}


async def open_queues(tx: Tx) -> list[Queue]:
    """All queues in use, the oldest first."""
    return [_read(row) for row in await tx.all(_OPEN, {})]


async def waiting_in(tx: Tx, queue_id: UUID) -> Record:
    """How many wait in a queue, and since when the first does."""
    row = await tx.one(_WAITING, {"id": queue_id})
    assert row is not None, "an aggregate has a row"
    return row


async def list_queues(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Queue]:
    """Queues by name."""
    statement = _SEEN.order_by(_q.name, _q.id).limit(limit)
    if not filters.archived:
        statement = statement.where(_q.archived.is_(False))
    if after is not None:
        statement = statement.where((_q.name > after[0]) | ((_q.name == after[0]) & (_q.id > after[1])))
    return [_read(row) for row in await tx.all(statement)]


def _values(found: Queue) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in _FIELDS}
    values["channels"] = list(found.channels)
    values["addresses"] = list(found.addresses)
    values["requirements"] = dict(found.requirements)
    values["steps"] = [
        {"after_s": step.after_s, "relax": dict(step.relax), "boost_s": step.boost_s} for step in found.steps
    ]
    values["strategy"] = found.strategy.value
    return values


def _read(row: Record) -> Queue:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    values["channels"] = tuple(row["channels"])
    values["addresses"] = tuple(row["addresses"])
    values["steps"] = tuple(RelaxationStep(**step) for step in row["steps"])
    values["strategy"] = RoutingStrategy(row["strategy"])
    return Queue(**values)
