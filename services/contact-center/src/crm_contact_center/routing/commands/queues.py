"""Making and changing queues."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_contact_center.calendars import store as calendars
from crm_contact_center.changes.store import Subject, note
from crm_contact_center.routing.domain.queues import Queue
from crm_contact_center.routing.domain.requirements import RelaxationStep, RoutingStrategy, validate
from crm_contact_center.routing.store import queues as store
from crm_contact_center.routing.store import shards, visits
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What a queue asks for and how it behaves; see `Queue`."""

    name: str
    channels: tuple[str, ...]
    addresses: tuple[str, ...]
    requirements: dict[str, int]
    steps: tuple[RelaxationStep, ...]
    strategy: RoutingStrategy
    priority: int
    language_level: int | None
    offer_timeout_s: int
    wrap_up_s: int
    preferred_wait_s: int
    reject_pause_s: int
    service_level_s: int
    calendar_id: UUID | None


async def create_queue(tx: Tx, viewer: Viewer, rules: QueueRules, *, now: datetime) -> Queue:
    """A new queue.

    Raises:
        Invalid: levels, steps or the calendar make no sense.
    """
    fields: dict[str, Any] = {name: getattr(rules, name) for name in QueueRules.__dataclass_fields__}
    made = Queue(id=new_id(), archived=False, version=1, created_at=now, **fields)
    await _check(tx, made)
    await store.insert_queue(tx, made)
    await shards.ensure_shard(tx)
    return made


async def change_queue(
    tx: Tx, viewer: Viewer, queue_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Queue:
    """Change a queue; those who wait keep their places and needs, and get the new steps and strategy at once.

    Raises:
        NotFound: there is no such queue.
        PreconditionFailed: it has changed since the sender saw it.
        Invalid: levels, steps or the calendar make no sense.
    """
    current = await store.lock(tx, queue_id)
    if current is None:
        raise NotFound.of("queue", public_id("que", queue_id))
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The queue has changed; read it again and repeat your change.")
    changed = replace(current, **changes, version=current.version + 1)
    await _check(tx, changed)
    await store.save(tx, changed)
    await note(tx, Subject.VISIT, await visits.waiting_in(tx, queue_id))
    return changed


async def _check(tx: Tx, queue: Queue) -> None:
    validate(queue.requirements, queue.steps)
    if queue.calendar_id is not None and await calendars.get(tx, queue.calendar_id) is None:
        raise Invalid.field("/calendar_id", "There is no such calendar.", code="calendar_not_found")
