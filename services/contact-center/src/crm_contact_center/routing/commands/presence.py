"""Agents who go, whether they say so or just vanish; whoever they were to talk to waits on at the old place."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from crm_contact_center.agents import commands as agents
from crm_contact_center.agents import store as agent_store
from crm_contact_center.agents.commands import PRESENCE
from crm_contact_center.agents.domain import Agent, AgentState, check_state
from crm_contact_center.changes.store import Subject, note
from crm_contact_center.interactions import commands as interactions
from crm_contact_center.interactions.domain import Happening, InteractionState
from crm_contact_center.routing.commands import intake
from crm_contact_center.routing.commands.conversations import WRAP_UP, close, part_of
from crm_contact_center.routing.commands.intake import Wish
from crm_contact_center.routing.domain.queues import LIVE_VISIT, Reservation, ReservationState
from crm_contact_center.routing.store import queues, reservations, visits
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an agent wants to do now, why, and how long they count as present without a sign of life."""

    state: AgentState
    reason: str | None
    lease: timedelta


async def set_state(tx: Tx, viewer: Viewer, agent_id: UUID, wanted: Wanted, *, now: datetime) -> Agent:
    """An agent comes, pauses or goes. An offer in progress is taken back; a conversation must be ended first.

    Raises:
        NotFound: there is no such agent.
        Conflict: they have left for good, or want to go while talking to somebody.
    """
    state = wanted.state
    held = await reservations.live_of_agent(tx, agent_id)
    if state is not AgentState.AVAILABLE:
        for one in held:
            if one.state is ReservationState.PENDING:
                await withdraw(tx, one, reason=f"agent_{state.value}", now=now)
    if state is AgentState.OFFLINE:
        if any(one.state is ReservationState.ACCEPTED for one in held):
            raise Conflict("End or transfer the conversations in hand first.", code="agent_in_conversation")
        for one in held:
            if one.state is ReservationState.WRAPPING:
                await _stop_wrapping(tx, one, now=now)
    current = await agents.locked(tx, agent_id)
    check_state(current, state)
    if state is AgentState.AVAILABLE and current.state is AgentState.WRAPPING:
        raise Conflict("Complete the wrap-up first.", code="agent_wrapping")
    moved = await agents.move_to(tx, current, state, now=now, reason=wanted.reason, lease=wanted.lease)
    if state is AgentState.OFFLINE:
        await unschedule(tx, PRESENCE, key=str(agent_id))
    return moved


async def presence_lapsed(tx: Tx, agent_id: UUID, *, now: datetime) -> None:
    """The lease has run out, unless the agent has shown up since: then the due row follows the lease.

    Conversations that were in hand go back to the queue at their old place, offers too.
    """
    seen = await agent_store.get(tx, agent_id)
    if seen is None or seen.state is AgentState.OFFLINE:
        return
    if seen.presence_until is not None and seen.presence_until > now:
        await schedule(tx, PRESENCE, key=str(agent_id), due_at=seen.presence_until)
        return
    await drop_all(tx, agent_id, now=now)
    current = await agents.locked(tx, agent_id)
    # The agent has been away since the lease ran out, however late that is noticed.
    gone_at = min(now, max(current.state_since, seen.presence_until or now))
    await agents.move_to(tx, current, AgentState.OFFLINE, now=gone_at, reason="presence_lost")


async def retire(tx: Tx, viewer: Viewer, agent_id: UUID, *, now: datetime) -> Agent:
    """An agent leaves for good; whatever they had in hand goes back to the queue.

    Raises:
        NotFound: there is no such agent.
    """
    await drop_all(tx, agent_id, now=now)
    gone = await agents.retire(tx, await agents.locked(tx, agent_id), now=now)
    await unschedule(tx, PRESENCE, key=str(agent_id))
    return gone


async def drop_all(tx: Tx, agent_id: UUID, *, now: datetime) -> None:
    """Take everything out of an agent's hands."""
    for one in await reservations.live_of_agent(tx, agent_id):
        match one.state:
            case ReservationState.PENDING:
                await withdraw(tx, one, reason="agent_lost", now=now)
            case ReservationState.ACCEPTED:
                await _requeue(tx, one, now=now)
            case _:
                await _stop_wrapping(tx, one, now=now)


async def withdraw(tx: Tx, seen: Reservation, *, reason: str, now: datetime) -> None:
    """Take an offer back: the same visit goes on, at its place."""
    visit = (await visits.lock_many(tx, [seen.visit_id])).get(seen.visit_id)
    if not await reservations.move(tx, seen, _closed(seen, ReservationState.RESCINDED, reason, now)):
        return
    await agents.locked(tx, seen.agent_id)
    await agent_store.release(tx, seen.agent_id, units=seen.cost, at=now)
    if visit is not None and visit.state in LIVE_VISIT:
        await visits.back_to_waiting(tx, visit.id, dict(visit.excluded))
    await note(tx, Subject.VISIT, [seen.visit_id])
    await note(tx, Subject.AGENT, [seen.agent_id])


async def _requeue(tx: Tx, seen: Reservation, *, now: datetime) -> None:
    """A conversation whose agent vanished waits again, in the place of its first wait."""
    current = await interactions.locked(tx, seen.interaction_id)
    talked = await reservations.lock(tx, seen.id)
    if (
        talked is None
        or talked.state is not ReservationState.ACCEPTED
        or current.state is not InteractionState.CONNECTED
    ):
        return
    apart, leg = await interactions.disconnect(tx, current, "agent_lost", now=now)
    lost = _closed(talked, ReservationState.CANCELED, "agent_lost", now)
    await reservations.move(tx, talked, replace(lost, ended_at=now, hold_s=leg.hold_s if leg else 0))
    await agents.locked(tx, talked.agent_id)
    await agent_store.release(tx, talked.agent_id, units=talked.cost, at=now)
    before = await visits.get(tx, talked.visit_id)
    queue = await queues.get(tx, talked.queue_id)
    assert before is not None, "a reservation belongs to a visit"
    assert queue is not None, "queues are archived, not deleted"
    body = {"reason": "agent_lost", "leg": part_of(talked, leg, now) if leg else None}
    apart = await interactions.record(tx, apart, Happening.REQUEUED, actor="system", now=now, body=body)
    wish = Wish(priority=before.priority, needs=before.needs, place_at=before.place_at)
    visit = await intake.new_visit(tx, apart, queue, wish, now=now)
    await intake.wait_in(
        tx, Viewer.system(tx.tenant), apart, queue, replace(visit, preferred_agent=None, preferred_until=None), now=now
    )


async def _stop_wrapping(tx: Tx, seen: Reservation, *, now: datetime) -> None:
    current = await interactions.locked(tx, seen.interaction_id)
    wrapping = await reservations.lock(tx, seen.id)
    if wrapping is not None and wrapping.state is ReservationState.WRAPPING:
        await close(tx, current, wrapping, actor="system", now=now)
        await unschedule(tx, WRAP_UP, key=str(seen.id))


def _closed(seen: Reservation, state: ReservationState, reason: str, now: datetime) -> Reservation:
    return replace(seen, state=state, reason=reason, closed_at=now)
