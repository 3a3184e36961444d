"""One function for each thing that can happen to a ticket. Each adds to its history, then settles its clocks."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_contact_center.agents import store as agents
from crm_contact_center.customers import store as customers
from crm_contact_center.interactions import store as interactions
from crm_contact_center.tickets import store
from crm_contact_center.tickets.commands.service_levels import policy_now, settle
from crm_contact_center.tickets.domain.cases import (
    Happening,
    HistoryEntry,
    Ticket,
    TicketKind,
    TicketPriority,
    TicketState,
    check_move,
    state_after_customer_reply,
)
from crm_contact_center.tickets.domain.policies import Clock, Policy, choose
from crm_contact_center.tickets.events import (
    TicketClosed,
    TicketFact,
    TicketOpened,
    TicketPending,
    TicketReopened,
    TicketSolved,
)
from crm_contact_center.tickets.queries import read_clocks
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

CLOSE = "ticket.close"
CLOSES_AFTER = timedelta(days=7)
"""A solved ticket that nobody comes back to is closed after this time."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A customer's matter; what isn't said is taken from the interaction, if there was one."""

    kind: TicketKind
    subject: str | None = None
    description: str | None = None
    priority: TicketPriority = TicketPriority.NORMAL
    customer_id: UUID | None = None
    interaction_id: UUID | None = None
    channel: str | None = None
    department: str | None = None
    assignee: UUID | None = None
    expected: str | None = None
    delivered: str | None = None


async def open_ticket(tx: Tx, viewer: Viewer, data: NewTicket, *, now: datetime) -> Ticket:
    """A customer has a matter with us: it gets a number, and clocks begin to run.

    Raises:
        Invalid: there is no such interaction or agent, or neither subject nor interaction is given.
    """
    data = await _from_interaction(tx, data)
    await _check_assignee(tx, data.assignee)
    known = (await customers.get_many(tx, [data.customer_id])).get(data.customer_id) if data.customer_id else None
    value_group = known.value_group if known else None
    channel = data.channel or "web_form"
    policy = await _policy_for(tx, data.kind, data.priority, value_group, channel)
    assert data.subject is not None, "checked above"
    made = Ticket(
        id=new_id(),
        number=await store.next_number(tx),
        customer_id=data.customer_id,
        interaction_id=data.interaction_id,
        channel=channel,
        kind=data.kind,
        priority=data.priority,
        subject=data.subject,
        description=data.description,
        expected=data.expected,
        delivered=data.delivered,
        state=TicketState.OPEN,
        department=data.department,
        assignee=data.assignee,
        value_group=value_group,
        policy_id=policy.id,
        policy_version=policy.version,
        opened_at=now,
        first_response_at=None,
        solved_at=None,
        closed_at=None,
        next_due_at=None,
        last_event=0,
        version=0,
    )
    await store.insert_ticket(tx, made)
    body = {"state": TicketState.OPEN.value, **_promise(policy, data.kind)}
    made = await _record(tx, made, Happening.OPENED, viewer, now, body)
    _emit(tx, TicketOpened, made, now)
    return await store.save(tx, await settle(tx, made, now=now))


async def reply(tx: Tx, viewer: Viewer, ticket_id: UUID, text: str, *, now: datetime) -> Ticket:
    """We answer the customer: that is a response.

    Raises:
        Conflict: the ticket is closed.
    """
    current = await _working(tx, ticket_id)
    changed = await _record(tx, current, Happening.REPLIED, viewer, now, {"text": text})
    changed = replace(changed, first_response_at=current.first_response_at or now)
    return await store.save(tx, await settle(tx, changed, now=now))


async def note(tx: Tx, viewer: Viewer, ticket_id: UUID, text: str, *, now: datetime) -> Ticket:
    """A word to colleagues; no response."""
    current = await locked(tx, ticket_id)
    return await store.save(tx, await _record(tx, current, Happening.NOTED, viewer, now, {"text": text}))


async def customer_replied(tx: Tx, viewer: Viewer, ticket_id: UUID, text: str, *, now: datetime) -> Ticket:
    """The customer writes: a ticket that waited for them is open again, one we took for solved is reopened.

    Raises:
        Conflict: the ticket is closed.
    """
    current = await _working(tx, ticket_id)
    after = state_after_customer_reply(current.state)
    body = {"text": text, **({"state": after.value} if after is not current.state else {})}
    changed = await _record(tx, current, Happening.CUSTOMER_REPLIED, viewer, now, body)
    if after is TicketState.REOPENED:
        return await _reopen(tx, viewer, changed, "The customer wrote again.", now=now)
    return await store.save(tx, await settle(tx, replace(changed, state=after), now=now))


async def wait_for(
    tx: Tx, viewer: Viewer, ticket_id: UUID, state: TicketState, reason: str | None, *, now: datetime
) -> Ticket:
    """It is somebody else's turn: the customer's or a supplier's.

    Raises:
        Conflict: the ticket's state doesn't allow it.
    """
    current = await locked(tx, ticket_id)
    check_move(current, state)
    changed = await _record(tx, current, Happening.PENDING, viewer, now, {"state": state.value, "text": reason or ""})
    changed = replace(changed, state=state)
    _emit(tx, TicketPending, changed, now, state=state, department=None)
    return await store.save(tx, await settle(tx, changed, now=now))


async def hand_off(
    tx: Tx, viewer: Viewer, ticket_id: UUID, department: str, question: str | None, *, now: datetime
) -> Ticket:
    """A department has to do something; the ticket stays pending until it has, then the customer is answered.

    Raises:
        Conflict: the ticket's state doesn't allow it.
    """
    current = await locked(tx, ticket_id)
    if current.state is not TicketState.PENDING_DEPARTMENT:
        check_move(current, TicketState.PENDING_DEPARTMENT)
    body = {"state": TicketState.PENDING_DEPARTMENT.value, "department": department, "text": question or ""}
    changed = await _record(tx, current, Happening.HANDED_OFF, viewer, now, body)
    changed = replace(changed, state=TicketState.PENDING_DEPARTMENT, department=department)
    _emit(tx, TicketPending, changed, now, state=TicketState.PENDING_DEPARTMENT, department=department)
    return await store.save(tx, await settle(tx, changed, now=now))


async def resume(tx: Tx, viewer: Viewer, ticket_id: UUID, answer: str | None, *, now: datetime) -> Ticket:
    """It is our turn again: the department has done its part, or nobody needs to be waited for.

    Raises:
        Conflict: the ticket isn't pending.
    """
    current = await locked(tx, ticket_id)
    check_move(current, TicketState.OPEN)
    back = current.state is TicketState.PENDING_DEPARTMENT
    happening = Happening.HANDED_BACK if back else Happening.RESUMED
    changed = await _record(
        tx, current, happening, viewer, now, {"state": TicketState.OPEN.value, "text": answer or ""}
    )
    return await store.save(tx, await settle(tx, replace(changed, state=TicketState.OPEN), now=now))


async def solve(tx: Tx, viewer: Viewer, ticket_id: UUID, answer: str | None, *, now: datetime) -> Ticket:
    """The customer has been helped.

    Raises:
        Conflict: it is solved or closed already.
    """
    current = await locked(tx, ticket_id)
    check_move(current, TicketState.SOLVED)
    body = {"state": TicketState.SOLVED.value, "text": answer or ""}
    changed = await _record(tx, current, Happening.SOLVED, viewer, now, body)
    changed = replace(
        changed, state=TicketState.SOLVED, solved_at=now, first_response_at=current.first_response_at or now
    )
    kept = {reading.clock: reading.kept for reading in await read_clocks(tx, await store.history(tx, ticket_id), now)}
    _emit(
        tx,
        TicketSolved,
        changed,
        now,
        first_response_kept=kept.get(Clock.FIRST_RESPONSE),
        resolution_kept=kept.get(Clock.RESOLUTION),
    )
    await schedule(tx, CLOSE, key=str(ticket_id), due_at=now + CLOSES_AFTER)
    return await store.save(tx, await settle(tx, changed, now=now))


async def reopen(tx: Tx, viewer: Viewer, ticket_id: UUID, reason: str | None, *, now: datetime) -> Ticket:
    """The customer had not been helped: resolution runs on from where it stood.

    Raises:
        Conflict: the ticket isn't solved.
    """
    current = await locked(tx, ticket_id)
    check_move(current, TicketState.REOPENED)
    return await _reopen(tx, viewer, current, reason, now=now)


async def close(tx: Tx, viewer: Viewer, ticket_id: UUID, *, now: datetime) -> Ticket:
    """The matter is over for good.

    Raises:
        Conflict: it is closed already.
    """
    current = await locked(tx, ticket_id)
    check_move(current, TicketState.CLOSED)
    changed = await _record(tx, current, Happening.CLOSED, viewer, now, {"state": TicketState.CLOSED.value})
    changed = replace(changed, state=TicketState.CLOSED, closed_at=now)
    _emit(tx, TicketClosed, changed, now)
    await unschedule(tx, CLOSE, key=str(ticket_id))
    return await store.save(tx, await settle(tx, changed, now=now))


async def change(
    tx: Tx, viewer: Viewer, ticket_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Ticket:
    """Change what a ticket says of itself. Another kind or priority may fall under another policy: what has passed and
    every pause stay, the new targets hold for the whole.

    Raises:
        PreconditionFailed: it has changed since the sender saw it.
        Conflict: it is closed.
    """
    current = await _working(tx, ticket_id)
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The ticket has changed; read it again and repeat your change.")
    await _check_assignee(tx, changes.get("assignee"))
    changed = replace(current, **changes)
    body: dict[str, Any] = {
        "changed": sorted(changes),
        **{name: str(changes[name]) for name in ("kind", "priority") if name in changes},
    }
    if (changed.kind, changed.priority) != (current.kind, current.priority):
        policy = await _policy_for(tx, changed.kind, changed.priority, changed.value_group, changed.channel)
        changed = replace(changed, policy_id=policy.id, policy_version=policy.version)
        body |= _promise(policy, changed.kind)
    changed = await _record(tx, changed, Happening.CHANGED, viewer, now, body)
    return await store.save(tx, await settle(tx, changed, now=now))


async def locked(tx: Tx, ticket_id: UUID) -> Ticket:
    """One ticket, held until the transaction ends.

    Raises:
        NotFound: there is no such ticket.
    """
    found = await store.lock(tx, ticket_id)
    if found is None:
        raise NotFound.of("ticket", public_id("tkt", ticket_id))
    return found


async def _working(tx: Tx, ticket_id: UUID) -> Ticket:
    current = await locked(tx, ticket_id)
    if current.state is TicketState.CLOSED:
        raise Conflict("The ticket is closed for good; open a new one.", code="ticket_closed")
    return current


async def _reopen(tx: Tx, viewer: Viewer, current: Ticket, reason: str | None, *, now: datetime) -> Ticket:
    body = {"state": TicketState.REOPENED.value, "text": reason or ""}
    changed = await _record(tx, current, Happening.REOPENED, viewer, now, body)
    changed = replace(changed, state=TicketState.REOPENED, solved_at=None)
    _emit(tx, TicketReopened, changed, now)
    await unschedule(tx, CLOSE, key=str(current.id))
    return await store.save(tx, await settle(tx, changed, now=now))


async def _from_interaction(tx: Tx, data: NewTicket) -> NewTicket:
    if data.interaction_id is not None:
        source = await interactions.get(tx, data.interaction_id)
        if source is None:
            raise Invalid.field("/interaction_id", "There is no such interaction.", code="interaction_not_found")
        data = replace(
            data,
            customer_id=data.customer_id or source.customer_id,
            channel=data.channel or source.channel.value,
            subject=data.subject or source.subject,
        )
    if not data.subject:
        raise Invalid.field("/subject", "Say what it is about.", code="subject_missing")
    return data


async def _check_assignee(tx: Tx, assignee: UUID | None) -> None:
    if assignee is not None and await agents.get(tx, assignee) is None:
        raise Invalid.field("/assignee", "There is no such agent.", code="agent_not_found")


async def _policy_for(
    tx: Tx, kind: TicketKind, priority: TicketPriority, value_group: str | None, channel: str
) -> Policy:
    own = await store.current_policies(tx)
    return await policy_now(tx, choose(own, kind=kind, priority=priority, value_group=value_group, channel=channel))


def _promise(policy: Policy, kind: TicketKind) -> dict[str, Any]:
    """What a history entry keeps of the terms that hold from then on."""
    return {
        "policy_id": str(policy.id),
        "policy_version": policy.version,
        "calendar_id": str(policy.calendar_id) if policy.calendar_id else None,
        "calendar_version": policy.calendar_version,
        "kind": kind.value,
    }


async def _record(
    tx: Tx, current: Ticket, happening: Happening, viewer: Viewer, now: datetime, body: dict[str, Any]
) -> Ticket:
    sequence = current.last_event + 1
    kept = {name: value for name, value in body.items() if value != ""}
    await store.append(tx, current.id, HistoryEntry(sequence, happening, now, viewer.subject, kept))
    return replace(current, last_event=sequence)


def _emit(tx: Tx, event: type[TicketFact], current: Ticket, now: datetime, **more: Any) -> None:
    tx.emit(
        event(
            customer_id=current.customer_id,
            number=current.number,
            kind=current.kind,
            subject=current.subject,
            priority=current.priority,
            channel=current.channel,
            interaction_id=current.interaction_id,
            at=now,
            **more,
        ),
        aggregate_id=current.id,
    )
