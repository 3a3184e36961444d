"""Conversations begin, go on and end. Queues and agents' capacity are routing's business, above."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_contact_center.customers import store as customers
from crm_contact_center.customers.domain import fold
from crm_contact_center.interactions import store
from crm_contact_center.interactions.domain import (
    REPEAT_WITHIN,
    Direction,
    Happening,
    HistoryEntry,
    Interaction,
    InteractionChannel,
    InteractionState,
    Leg,
    Participant,
    check_connected,
    check_live,
)
from crm_contact_center.interactions.events import DemandRevealed, InteractionFact, InteractionStarted
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class NewInteraction:
    """Somebody reaches us, or we reach out."""

    channel: InteractionChannel
    direction: Direction = Direction.INBOUND
    from_address: str | None = None
    to_address: str | None = None
    subject: str | None = None
    text: str | None = None
    customer_id: UUID | None = None


async def start(tx: Tx, viewer: Viewer, data: NewInteraction, *, now: datetime) -> Interaction:
    """A conversation begins; whoever isn't named is recognised by the address if it is one customer's alone."""
    customer_id = data.customer_id
    if customer_id is None:
        theirs = data.from_address if data.direction is Direction.INBOUND else data.to_address
        customer_id = await customers.recognise(tx, fold(data.channel.value, theirs or ""))
    repeat_of = None
    if customer_id is not None and data.direction is Direction.INBOUND:
        family = (await customers.family(tx, [customer_id]))[customer_id]
        repeat_of = await store.latest_of(tx, family, since=now - REPEAT_WITHIN)
    made = Interaction(
        id=new_id(),
        channel=data.channel,
        direction=data.direction,
        from_address=data.from_address,
        to_address=data.to_address,
        subject=data.subject,
        customer_id=customer_id,
        recognised=data.customer_id is None and customer_id is not None,
        state=InteractionState.OPEN,
        queue_id=None,
        agent_id=None,
        started_at=now,
        answered_at=None,
        ended_at=None,
        held_since=None,
        hold_s=0,
        disposition=None,
        repeat_of=repeat_of,
        last_event=0,
        version=1,
    )
    await store.insert_interaction(tx, made)
    await store.join(tx, made.id, Participant("customer", customer_id, None, data.from_address, now, None))
    made = await record(tx, made, Happening.STARTED, actor=viewer.subject, now=now)
    if data.text:
        sender = "customer" if data.direction is Direction.INBOUND else "agent"
        made = await record(
            tx, made, Happening.MESSAGE, actor=sender, now=now, body={"from": sender, "text": data.text}
        )
    tx.emit(InteractionStarted(**about(made, now), repeat_of=repeat_of), aggregate_id=made.id)
    return await store.save(tx, replace(made, version=0))


async def say(
    tx: Tx, viewer: Viewer, interaction_id: UUID, happening: Happening, body: dict[str, Any], *, now: datetime
) -> HistoryEntry:
    """Add a message, note, key press or recording to a live conversation.

    Raises:
        NotFound: there is no such interaction.
        Conflict: it is over.
    """
    current = await locked(tx, interaction_id)
    check_live(current)
    changed = await record(tx, current, happening, actor=viewer.subject, now=now, body=body)
    await store.save(tx, changed)
    return HistoryEntry(changed.last_event, happening, now, viewer.subject, body)


async def identify(
    tx: Tx, viewer: Viewer, interaction_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Interaction:
    """Say whose conversation it is, or what it is about.

    Raises:
        NotFound: there is no such interaction.
        PreconditionFailed: it has changed since the sender saw it.
    """
    current = await locked(tx, interaction_id)
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The interaction has changed; read it again and repeat your change.")
    if "customer_id" in changes:
        changes = {**changes, "recognised": False}
    return await store.save(tx, replace(current, **changes))


async def hold(tx: Tx, viewer: Viewer, interaction_id: UUID, *, now: datetime) -> Interaction:
    """The customer waits while the agent looks something up.

    Raises:
        Conflict: no agent is in the conversation, or it is on hold already.
    """
    current = await locked(tx, interaction_id)
    check_connected(current)
    if current.held_since is not None:
        raise Conflict("The interaction is on hold already.", code="interaction_held")
    held = await record(tx, current, Happening.HELD, actor=viewer.subject, now=now)
    return await store.save(tx, replace(held, held_since=now))


async def resume(tx: Tx, viewer: Viewer, interaction_id: UUID, *, now: datetime) -> Interaction:
    """The conversation goes on.

    Raises:
        Conflict: it isn't on hold.
    """
    current = await locked(tx, interaction_id)
    if current.held_since is None:
        raise Conflict("The interaction is not on hold.", code="interaction_not_held")
    resumed = await record(tx, current, Happening.RESUMED, actor=viewer.subject, now=now)
    return await store.save(tx, off_hold(resumed, now))


async def reveal_demand(
    tx: Tx, viewer: Viewer, interaction_id: UUID, text: str, buying_window: str | None, *, now: datetime
) -> UUID:
    """Note that the customer wants to buy something; sales makes a lead of it.

    Raises:
        Conflict: nobody knows yet who the customer is.
    """
    current = await locked(tx, interaction_id)
    if current.customer_id is None:
        raise Conflict("Say first whose interaction it is: PATCH its customer_id.", code="customer_unknown")
    demand_id = new_id()
    body = {"demand_id": public_id("dem", demand_id), "text": text, "buying_window": buying_window}
    noted = await record(tx, current, Happening.DEMAND, actor=viewer.subject, now=now, body=body)
    await store.save(tx, noted)
    tx.emit(
        DemandRevealed(
            customer_id=current.customer_id,
            interaction_id=interaction_id,
            text=text,
            buying_window=buying_window,
            agent=current.agent_id,
            at=now,
        ),
        aggregate_id=demand_id,
    )
    return demand_id


# ---- steps of a conversation that routing decides on; they take and give a locked interaction


async def connect(tx: Tx, current: Interaction, agent_id: UUID, reservation_id: UUID, *, now: datetime) -> Interaction:
    """An agent comes in."""
    await store.begin_leg(tx, Leg(new_id(), current.id, agent_id, reservation_id, now, None, 0, None))
    await store.join(tx, current.id, Participant("agent", None, agent_id, None, now, None))
    return replace(current, state=InteractionState.CONNECTED, agent_id=agent_id, answered_at=current.answered_at or now)


async def disconnect(tx: Tx, current: Interaction, reason: str, *, now: datetime) -> tuple[Interaction, Leg | None]:
    """The agent goes; gives the leg that ended."""
    held_s = int((now - current.held_since).total_seconds()) if current.held_since else 0
    since = current.hold_s + held_s
    leg = await store.end_leg(tx, current.id, at=now, hold_s=since, reason=reason)
    if leg is not None:
        await store.leave(tx, current.id, leg.agent_id, now)
    return replace(current, held_since=None, hold_s=0), leg


async def record(
    tx: Tx, current: Interaction, happening: Happening, *, actor: str, now: datetime, body: dict[str, Any] | None = None
) -> Interaction:
    """Add to the history of a locked interaction; the caller saves it."""
    sequence = current.last_event + 1
    await store.append(tx, current.id, HistoryEntry(sequence, happening, now, actor, body or {}))
    return replace(current, last_event=sequence)


def off_hold(current: Interaction, now: datetime) -> Interaction:
    """The time on hold so far, added to what this leg had."""
    held_s = int((now - current.held_since).total_seconds()) if current.held_since else 0
    return replace(current, held_since=None, hold_s=current.hold_s + held_s)


def about(current: Interaction, now: datetime) -> dict[str, Any]:
    """The fields that all events of an interaction share."""
    return {
        "customer_id": current.customer_id,
        "channel": str(current.channel),  # .value runs Python code each time, and offers ask by the thousand
        "direction": str(current.direction),
        "queue": current.queue_id,
        "agent": current.agent_id,
        "subject": current.subject,
        "at": now,
    }


def emit(tx: Tx, event: type[InteractionFact], current: Interaction, now: datetime, **more: Any) -> None:
    """Tell what happened to an interaction."""
    tx.emit(event(**{**about(current, now), **more}), aggregate_id=current.id)


async def locked(tx: Tx, interaction_id: UUID) -> Interaction:
    """One interaction, held until the transaction ends.

    Raises:
        NotFound: there is no such interaction.
    """
    found = await store.lock(tx, interaction_id)
    if found is None:
        raise NotFound.of("interaction", public_id("int", interaction_id))
    return found
