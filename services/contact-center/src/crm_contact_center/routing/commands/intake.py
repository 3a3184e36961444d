"""Interactions come in, queue, and leave the queue again without having been answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from crm_contact_center.agents import store as agents
from crm_contact_center.changes.store import Subject, note
from crm_contact_center.customers import store as customers
from crm_contact_center.interactions import commands as interactions
from crm_contact_center.interactions import store as interaction_store
from crm_contact_center.interactions.commands import NewInteraction
from crm_contact_center.interactions.domain import Direction, Happening, Interaction, InteractionState, check_live
from crm_contact_center.interactions.events import InteractionAbandoned, InteractionQueued
from crm_contact_center.routing.commands.release import give_back
from crm_contact_center.routing.domain.queues import LAST_AGENT_WITHIN, Queue, ReservationState, Visit, VisitState
from crm_contact_center.routing.domain.requirements import validate
from crm_contact_center.routing.store import queues, reservations, visits
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Wish:
    """How an interaction is to be queued; what isn't said follows from the queue and the customer."""

    queue_id: UUID | None = None
    priority: int | None = None
    needs: Mapping[str, int] = field(default_factory=dict[str, int])
    preferred_agent: UUID | None = None
    place_at: datetime | None = None


async def receive(tx: Tx, viewer: Viewer, data: NewInteraction, wish: Wish, *, now: datetime) -> Interaction:
    """Somebody reaches us (or we reach out): the interaction starts and, if some queue is responsible, waits there.

    Raises:
        Invalid: there is no such queue, or a level is out of range.
    """
    started = await interactions.start(tx, viewer, data, now=now)
    if data.direction is Direction.OUTBOUND and wish.queue_id is None:
        return started
    queue = await _responsible(tx, started, wish)
    return started if queue is None else await _wait(tx, viewer, started, queue, wish, now=now)


async def enqueue(tx: Tx, viewer: Viewer, interaction_id: UUID, wish: Wish, *, now: datetime) -> Interaction:
    """Have an open interaction wait in a queue.

    Raises:
        NotFound: there is no such interaction.
        Conflict: it is over, waits already, or an agent has it.
        Invalid: there is no such queue.
    """
    current = await interactions.locked(tx, interaction_id)
    check_live(current)
    if current.state is not InteractionState.OPEN:
        raise Conflict(f"The interaction is {current.state} already.", code="interaction_not_open")
    queue = await _responsible(tx, current, wish)
    if queue is None:
        raise Invalid.field("/queue_id", "No queue takes this channel by itself; name one.", code="queue_missing")
    return await _wait(tx, viewer, current, queue, wish, now=now)


async def abandon(tx: Tx, viewer: Viewer, interaction_id: UUID, *, now: datetime) -> Interaction:
    """The customer gives up waiting; an agent who was being asked is free again at once.

    Raises:
        NotFound: there is no such interaction.
        Conflict: it doesn't wait.
    """
    current = await interactions.locked(tx, interaction_id)
    check_live(current)
    if current.state is not InteractionState.QUEUED:
        raise Conflict("The interaction doesn't wait for an agent; end it instead.", code="interaction_not_queued")
    visit = await leave_queue(tx, current, VisitState.ABANDONED, now=now)
    waited_s = (now - visit.entered_at).total_seconds() if visit else 0.0
    body = {
        "queue": _queue_text(current),
        "wait_s": waited_s,
        "service_level_s": visit.service_level_s if visit else 0,
    }
    gone = await interactions.record(tx, current, Happening.ABANDONED, actor="customer", now=now, body=body)
    interactions.emit(tx, InteractionAbandoned, current, now, wait_s=waited_s)
    await interaction_store.leave(tx, current.id, None, now)
    return await interaction_store.save(tx, replace(gone, state=InteractionState.ABANDONED, ended_at=now))


async def leave_queue(tx: Tx, current: Interaction, how: VisitState, *, now: datetime) -> Visit | None:
    """End the wait of a locked interaction and take back an offer in progress; gives the visit."""
    visit = await visits.lock_live(tx, current.id)
    if visit is None:
        return None
    await visits.leave(tx, visit.id, how, now)
    await note(tx, Subject.VISIT, [visit.id])
    pending = await reservations.lock_live_of_interaction(tx, current.id)
    if pending is not None:
        canceled = replace(pending, state=ReservationState.CANCELED, reason="customer_left", closed_at=now)
        await reservations.move(tx, pending, canceled)
        await give_back(tx, pending, now=now)
    return visit


async def wait_in(
    tx: Tx, viewer: Viewer, current: Interaction, queue: Queue, visit: Visit, *, now: datetime
) -> Interaction:
    """Begin a visit that has been worked out."""
    await visits.insert_visit(tx, visit)
    body = {
        "queue": public_id("que", queue.id),
        "visit": str(visit.id),
        "service_level_s": visit.service_level_s,
        "place_at": visit.place_at.isoformat(),
        "repeat": current.repeat_of is not None,
    }
    queued = replace(current, state=InteractionState.QUEUED, queue_id=queue.id, agent_id=None)
    queued = await interactions.record(tx, queued, Happening.QUEUED, actor=viewer.subject, now=now, body=body)
    interactions.emit(tx, InteractionQueued, queued, now)
    await note(tx, Subject.VISIT, [visit.id])
    return await interaction_store.save(tx, queued)


async def new_visit(tx: Tx, current: Interaction, queue: Queue, wish: Wish, *, now: datetime) -> Visit:
    """The visit that an interaction would pay to a queue.

    Raises:
        NotFound: there is no such agent to be preferred.
    """
    if wish.preferred_agent is not None and await agents.get(tx, wish.preferred_agent) is None:
        raise NotFound.of("agent", public_id("agt", wish.preferred_agent))
    needs = {**queue.requirements, **wish.needs}
    preferred = wish.preferred_agent
    if current.customer_id is not None:
        if queue.language_level is not None:
            known = (await customers.get_many(tx, [current.customer_id])).get(current.customer_id)
            if known is not None and known.language:
                needs.setdefault(known.language.lower(), queue.language_level)
        if preferred is None and queue.preferred_wait_s:
            family = (await customers.family(tx, [current.customer_id]))[current.customer_id]
            preferred = await interaction_store.last_agent_of(tx, family, since=now - LAST_AGENT_WITHIN)
    waits_for = max(queue.preferred_wait_s, 60 if wish.preferred_agent else 0)
    return Visit(
        id=new_id(),
        interaction_id=current.id,
        queue_id=queue.id,
        channel=current.channel.value,
        cost=(await agents.costs(tx))[current.channel.value],
        needs=needs,
        priority=queue.priority if wish.priority is None else wish.priority,
        entered_at=now,
        place_at=wish.place_at or now,
        preferred_agent=preferred,
        preferred_until=now + timedelta(seconds=waits_for) if preferred else None,
        excluded={},
        state=VisitState.WAITING,
        left_at=None,
        service_level_s=queue.service_level_s,
        offers=0,
        version=1,
    )


async def usable_queue(tx: Tx, queue_id: UUID) -> Queue:
    """A queue that takes interactions.

    Raises:
        Invalid: there is none with this id.
    """
    found = await queues.get(tx, queue_id)
    if found is None or found.archived:
        raise Invalid.field("/queue_id", "There is no such queue.", code="queue_not_found")
    return found


async def _wait(
    tx: Tx, viewer: Viewer, current: Interaction, queue: Queue, wish: Wish, *, now: datetime
) -> Interaction:
    validate(wish.needs, ())
    visit = await new_visit(tx, current, queue, wish, now=now)
    return await wait_in(tx, viewer, current, queue, visit, now=now)


async def _responsible(tx: Tx, current: Interaction, wish: Wish) -> Queue | None:
    """The queue that is named, else the one for our address, else the one for the channel."""
    if wish.queue_id is not None:
        return await usable_queue(tx, wish.queue_id)
    found = await queues.open_queues(tx)
    ours = (current.to_address or "").strip().casefold()
    by_address = next((queue for queue in found if ours and ours in (one.casefold() for one in queue.addresses)), None)
    return by_address or next((queue for queue in found if current.channel.value in queue.channels), None)


def _queue_text(current: Interaction) -> str | None:
    return public_id("que", current.queue_id) if current.queue_id else None
