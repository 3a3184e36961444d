"""One function for each thing that can happen to a ticket. Each adds to its history, then settles its clocks."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_contact_center.tickets import store
from crm_contact_center.tickets.commands.history import (
    check_assignee,
    emit,
    locked,
    policy_for,
    promise,
    record,
    working,
)
from crm_contact_center.tickets.commands.service_levels import settle
from crm_contact_center.tickets.domain.cases import (
    Happening,
    Ticket,
    TicketState,
    check_move,
    state_after_customer_reply,
)
from crm_contact_center.tickets.domain.policies import Clock
from crm_contact_center.tickets.events import (
    TicketClosed,
    TicketPending,
    TicketReopened,
    TicketSolved,
)
from crm_contact_center.tickets.queries import read_clocks
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import PreconditionFailed
from crm_shared.tenancy import Viewer

CLOSE = "ticket.close"
CLOSES_AFTER = timedelta(days=7)
"""A solved ticket that nobody comes back to is closed after this time."""


async def reply(tx: Tx, viewer: Viewer, ticket_id: UUID, text: str, *, now: datetime) -> Ticket:
    """We answer the customer: that is a response.

    Raises:
        Conflict: the ticket is closed.
    """
    current = await working(tx, ticket_id)
    changed = await record(tx, current, Happening.REPLIED, viewer, now, {"text": text})
    changed = replace(changed, first_response_at=current.first_response_at or now)
    return await store.save(tx, await settle(tx, changed, now=now))


async def note(tx: Tx, viewer: Viewer, ticket_id: UUID, text: str, *, now: datetime) -> Ticket:
    """A word to colleagues; no response."""
    current = await locked(tx, ticket_id)
    return await store.save(tx, await record(tx, current, Happening.NOTED, viewer, now, {"text": text}))


async def customer_replied(tx: Tx, viewer: Viewer, ticket_id: UUID, text: str, *, now: datetime) -> Ticket:
    """The customer writes: a ticket that waited for them is open again, one we took for solved is reopened.

    Raises:
        Conflict: the ticket is closed.
    """
    current = await working(tx, ticket_id)
    after = state_after_customer_reply(current.state)
    body = {"text": text, **({"state": after.value} if after is not current.state else {})}
    changed = await record(tx, current, Happening.CUSTOMER_REPLIED, viewer, now, body)
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
    changed = await record(tx, current, Happening.PENDING, viewer, now, {"state": state.value, "text": reason or ""})
    changed = replace(changed, state=state)
    emit(tx, TicketPending, changed, now, state=state, department=None)
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
    changed = await record(tx, current, Happening.HANDED_OFF, viewer, now, body)
    changed = replace(changed, state=TicketState.PENDING_DEPARTMENT, department=department)
    emit(tx, TicketPending, changed, now, state=TicketState.PENDING_DEPARTMENT, department=department)
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
    changed = await record(tx, current, happening, viewer, now, {"state": TicketState.OPEN.value, "text": answer or ""})
    return await store.save(tx, await settle(tx, replace(changed, state=TicketState.OPEN), now=now))


async def solve(tx: Tx, viewer: Viewer, ticket_id: UUID, answer: str | None, *, now: datetime) -> Ticket:
    """The customer has been helped.

    Raises:
        Conflict: it is solved or closed already.
    """
    current = await locked(tx, ticket_id)
    check_move(current, TicketState.SOLVED)
    body = {"state": TicketState.SOLVED.value, "text": answer or ""}
    changed = await record(tx, current, Happening.SOLVED, viewer, now, body)
    changed = replace(
        changed, state=TicketState.SOLVED, solved_at=now, first_response_at=current.first_response_at or now
    )
    kept = {reading.clock: reading.kept for reading in await read_clocks(tx, await store.history(tx, ticket_id), now)}
    emit(
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
    changed = await record(tx, current, Happening.CLOSED, viewer, now, {"state": TicketState.CLOSED.value})
    changed = replace(changed, state=TicketState.CLOSED, closed_at=now)
    emit(tx, TicketClosed, changed, now)
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
    current = await working(tx, ticket_id)
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The ticket has changed; read it again and repeat your change.")
    await check_assignee(tx, changes.get("assignee"))
    changed = replace(current, **changes)
    body: dict[str, Any] = {
        "changed": sorted(changes),
        **{name: str(changes[name]) for name in ("kind", "priority") if name in changes},
    }
    if (changed.kind, changed.priority) != (current.kind, current.priority):
        policy = await policy_for(tx, changed.kind, changed.priority, changed.value_group, changed.channel)
        changed = replace(changed, policy_id=policy.id, policy_version=policy.version)
        body |= promise(policy, changed.kind)
    changed = await record(tx, changed, Happening.CHANGED, viewer, now, body)
    return await store.save(tx, await settle(tx, changed, now=now))


async def _reopen(tx: Tx, viewer: Viewer, current: Ticket, reason: str | None, *, now: datetime) -> Ticket:
    body = {"state": TicketState.REOPENED.value, "text": reason or ""}
    changed = await record(tx, current, Happening.REOPENED, viewer, now, body)
    changed = replace(changed, state=TicketState.REOPENED, solved_at=None)
    emit(tx, TicketReopened, changed, now)
    await unschedule(tx, CLOSE, key=str(current.id))
    return await store.save(tx, await settle(tx, changed, now=now))
