"""From the offer to the end: accept, reject, end, transfer, wrap up. Each step is guarded by the state it starts from.

Rows are locked in one order everywhere: interaction, visit, reservation, agent.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_contact_center.changes.store import Subject, note
from crm_contact_center.interactions import commands as interactions
from crm_contact_center.interactions import store as interaction_store
from crm_contact_center.interactions.domain import (
    Happening,
    Interaction,
    InteractionState,
    Leg,
    check_connected,
    check_live,
)
from crm_contact_center.interactions.events import InteractionAnswered, InteractionEnded, InteractionTransferred
from crm_contact_center.routing.commands import intake
from crm_contact_center.routing.commands.intake import Wish
from crm_contact_center.routing.commands.release import begin_wrapping, give_back
from crm_contact_center.routing.domain.queues import Reservation, ReservationState, VisitState
from crm_contact_center.routing.store import queues, reservations, visits
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

WRAP_UP = "routing.wrap-up"


async def accept(tx: Tx, viewer: Viewer, reservation_id: UUID, *, now: datetime) -> Reservation:
    """The agent takes the offer: the conversation begins.

    Raises:
        NotFound: there is no such reservation.
        Conflict: it has been withdrawn, has run out, or was answered already.
    """
    current, asked = await _locked(tx, reservation_id)
    visit = await visits.lock_live(tx, current.id)
    if visit is None or not await reservations.mark_accepted(tx, asked.id, now):
        raise await _too_late(tx, reservation_id, now)
    await visits.leave(tx, visit.id, VisitState.ANSWERED, now)
    waited_s = (now - visit.entered_at).total_seconds()
    connected = await interactions.connect(tx, current, asked.agent_id, asked.id, now=now)
    body = {
        "queue": public_id("que", asked.queue_id),
        "agent": public_id("agt", asked.agent_id),
        "wait_s": waited_s,
        "service_level_s": visit.service_level_s,
    }
    connected = await interactions.record(tx, connected, Happening.ANSWERED, actor=viewer.subject, now=now, body=body)
    interactions.emit(tx, InteractionAnswered, connected, now, wait_s=waited_s)
    await interaction_store.save(tx, connected)
    return await _get(tx, reservation_id)


async def reject(tx: Tx, viewer: Viewer, reservation_id: UUID, reason: str | None, *, now: datetime) -> Reservation:
    """The agent doesn't take the offer: the customer keeps the place, and others are asked.

    Raises:
        NotFound: there is no such reservation.
        Conflict: it isn't pending any more.
    """
    current, asked = await _locked(tx, reservation_id)
    visit = await visits.lock_live(tx, current.id)
    if asked.state is not ReservationState.PENDING or visit is None:
        raise await _too_late(tx, reservation_id, now)
    rejected = replace(asked, state=ReservationState.REJECTED, reason=reason or "rejected", closed_at=now)
    if not await reservations.move(tx, asked, rejected):
        raise await _too_late(tx, reservation_id, now)
    queue = await queues.get(tx, asked.queue_id)
    pause_s = queue.reject_pause_s if queue else 0
    excluded = {**visit.excluded, str(asked.agent_id): now.timestamp() + pause_s}
    await visits.back_to_waiting(tx, visit.id, excluded)
    await note(tx, Subject.VISIT, [visit.id])
    await give_back(tx, asked, now=now)
    return await _get(tx, reservation_id)


async def end(tx: Tx, viewer: Viewer, interaction_id: UUID, disposition: str | None, *, now: datetime) -> Interaction:
    """The conversation is over; its agent wraps up. One that still waits is withdrawn from its queue.

    Raises:
        NotFound: there is no such interaction.
        Conflict: it is over already.
    """
    current = await interactions.locked(tx, interaction_id)
    check_live(current)
    talk_s, hold_s, part = 0.0, 0, None
    agent_id, withdrawn = current.agent_id, current.state is InteractionState.QUEUED
    if current.state is InteractionState.QUEUED:
        await intake.leave_queue(tx, current, VisitState.WITHDRAWN, now=now)
    elif current.state is InteractionState.CONNECTED:
        current, part = await _finish_leg(tx, current, "ended", now=now)
    for leg in await interaction_store.legs(tx, interaction_id):
        hold_s += leg.hold_s
        talk_s += ((leg.ended_at or now) - leg.began_at).total_seconds() - leg.hold_s
    body = {
        "queue": public_id("que", current.queue_id) if current.queue_id else None,
        "disposition": disposition,
        "talk_s": talk_s,
        "hold_s": hold_s,
        "withdrawn": withdrawn,
        "leg": part,
    }
    over = replace(current, state=InteractionState.ENDED, agent_id=agent_id, ended_at=now, disposition=disposition)
    over = await interactions.record(tx, over, Happening.ENDED, actor=viewer.subject, now=now, body=body)
    interactions.emit(tx, InteractionEnded, over, now, talk_s=talk_s, hold_s=float(hold_s), disposition=disposition)
    await interaction_store.leave(tx, interaction_id, None, now)
    return await interaction_store.save(tx, over)


async def transfer(
    tx: Tx, viewer: Viewer, interaction_id: UUID, wish: Wish, *, keep_place: bool, now: datetime
) -> Interaction:
    """The agent passes the customer on, to another queue or to a colleague; with `keep_place` the wait so far counts.

    Raises:
        NotFound: there is no such interaction.
        Conflict: no agent is in it.
        Invalid: neither queue nor agent is named.
    """
    current = await interactions.locked(tx, interaction_id)
    check_connected(current)
    target_id = wish.queue_id or current.queue_id
    if target_id is None or (wish.queue_id is None and wish.preferred_agent is None):
        raise Invalid.field("/queue_id", "Name the queue or the agent to go on to.", code="transfer_target_missing")
    queue = await intake.usable_queue(tx, target_id)
    place_at = await _first_place(tx, interaction_id) if keep_place else None
    from_agent = current.agent_id
    body: dict[str, Any] = {
        "queue": public_id("que", queue.id),
        "from_queue": public_id("que", current.queue_id) if current.queue_id else None,
        "agent": public_id("agt", wish.preferred_agent) if wish.preferred_agent else None,
    }
    passed, body["leg"] = await _finish_leg(tx, current, "transferred", now=now)
    passed = await interactions.record(tx, passed, Happening.TRANSFERRED, actor=viewer.subject, now=now, body=body)
    interactions.emit(
        tx,
        InteractionTransferred,
        current,
        now,
        agent=from_agent,
        to_queue=queue.id,
        to_agent=wish.preferred_agent,
    )
    visit = await intake.new_visit(tx, passed, queue, replace(wish, place_at=place_at), now=now)
    if wish.preferred_agent is None:
        visit = replace(visit, preferred_agent=None, preferred_until=None)
    if from_agent is not None and wish.preferred_agent != from_agent:
        visit = replace(visit, excluded={str(from_agent): now.timestamp() + queue.reject_pause_s})
    return await intake.wait_in(tx, viewer, passed, queue, visit, now=now)


async def complete(tx: Tx, viewer: Viewer, reservation_id: UUID, *, now: datetime) -> Reservation:
    """The agent has wrapped up and is ready for the next.

    Raises:
        NotFound: there is no such reservation.
        Conflict: there is nothing to wrap up.
    """
    current, wrapping = await _locked(tx, reservation_id)
    if wrapping.state is not ReservationState.WRAPPING:
        raise Conflict(
            f"The reservation is {wrapping.state}; only one that is wrapping can be completed.",
            code="reservation_state",
        )
    await close(tx, current, wrapping, actor=viewer.subject, now=now)
    await unschedule(tx, WRAP_UP, key=str(reservation_id))
    return await _get(tx, reservation_id)


async def wrap_up_over(tx: Tx, reservation_id: UUID, *, now: datetime) -> None:
    """The time for wrapping up has run out; nothing happens if the agent was quicker."""
    found = await reservations.get(tx, reservation_id)
    if found is None or found.state is not ReservationState.WRAPPING:
        return
    current = await interactions.locked(tx, found.interaction_id)
    wrapping = await reservations.lock(tx, reservation_id)
    if wrapping is not None and wrapping.state is ReservationState.WRAPPING:
        await close(tx, current, wrapping, actor="system", now=now)


async def close(tx: Tx, current: Interaction, wrapping: Reservation, *, actor: str, now: datetime) -> None:
    """End a wrap-up: the interaction's history keeps how long it took."""
    await reservations.move(tx, wrapping, replace(wrapping, state=ReservationState.COMPLETED, closed_at=now))
    since = wrapping.ended_at or now
    body = {
        "queue": public_id("que", wrapping.queue_id),
        "agent": public_id("agt", wrapping.agent_id),
        "wrap_s": (now - since).total_seconds(),
    }
    await interaction_store.save(
        tx, await interactions.record(tx, current, Happening.WRAPPED, actor=actor, now=now, body=body)
    )
    await give_back(tx, wrapping, now=now)


async def _finish_leg(
    tx: Tx, current: Interaction, reason: str, *, now: datetime
) -> tuple[Interaction, dict[str, Any] | None]:
    """The agent's part is over: the reservation wraps up, or is completed at once where there is nothing to write up.

    Gives also what the history keeps of that part.
    """
    talked = await reservations.lock_live_of_interaction(tx, current.id)
    apart, leg = await interactions.disconnect(tx, current, reason, now=now)
    if talked is None or leg is None:
        return apart, None
    ended = replace(talked, reason=reason, ended_at=now, hold_s=leg.hold_s)
    if talked.wrap_up_s:
        await reservations.move(tx, talked, replace(ended, state=ReservationState.WRAPPING))
        await schedule(tx, WRAP_UP, key=str(talked.id), due_at=now + timedelta(seconds=talked.wrap_up_s))
        await begin_wrapping(tx, talked, now=now)
    else:
        await reservations.move(tx, talked, replace(ended, state=ReservationState.COMPLETED, closed_at=now))
        await give_back(tx, talked, now=now)
    return apart, part_of(talked, leg, now)


def part_of(talked: Reservation, leg: Leg, now: datetime) -> dict[str, Any]:
    """What an agent's part in a conversation came to."""
    talk_s = (now - leg.began_at).total_seconds() - leg.hold_s
    return {"queue": public_id("que", talked.queue_id), "talk_s": talk_s, "hold_s": leg.hold_s}


async def _first_place(tx: Tx, interaction_id: UUID) -> datetime | None:
    paid = await visits.of_interaction(tx, interaction_id)
    return min((visit.place_at for visit in paid), default=None)


async def _locked(tx: Tx, reservation_id: UUID) -> tuple[Interaction, Reservation]:
    seen = await reservations.get(tx, reservation_id)
    if seen is None:
        raise NotFound.of("reservation", public_id("rsv", reservation_id))
    current = await interactions.locked(tx, seen.interaction_id)
    return current, await _get(tx, reservation_id)


async def _get(tx: Tx, reservation_id: UUID) -> Reservation:
    found = await reservations.get(tx, reservation_id)
    assert found is not None, "reservations are never deleted"
    return found


async def _too_late(tx: Tx, reservation_id: UUID, now: datetime) -> Conflict:
    found = await _get(tx, reservation_id)
    if found.state is ReservationState.PENDING and found.expires_at <= now:
        return Conflict("The offer has run out; the customer is being offered to others.", code="reservation_expired")
    return Conflict(f"The reservation is {found.state}.", code="reservation_state")
