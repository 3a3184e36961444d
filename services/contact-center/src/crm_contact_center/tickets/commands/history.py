"""What all commands on tickets share: locking, the history entry, the event, and the terms that are promised."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_contact_center.agents import store as agents
from crm_contact_center.tickets import store
from crm_contact_center.tickets.commands.service_levels import policy_now
from crm_contact_center.tickets.domain.cases import (
    Happening,
    HistoryEntry,
    Ticket,
    TicketKind,
    TicketPriority,
    TicketState,
)
from crm_contact_center.tickets.domain.policies import Policy, choose
from crm_contact_center.tickets.events import (
    TicketFact,
)
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer


async def locked(tx: Tx, ticket_id: UUID) -> Ticket:
    """One ticket, held until the transaction ends.

    Raises:
        NotFound: there is no such ticket.
    """
    found = await store.lock(tx, ticket_id)
    if found is None:
        raise NotFound.of("ticket", public_id("tkt", ticket_id))
    return found


async def working(tx: Tx, ticket_id: UUID) -> Ticket:
    current = await locked(tx, ticket_id)
    if current.state is TicketState.CLOSED:
        raise Conflict("The ticket is closed for good; open a new one.", code="ticket_closed")
    return current


async def check_assignee(tx: Tx, assignee: UUID | None) -> None:
    if assignee is not None and await agents.get(tx, assignee) is None:
        raise Invalid.field("/assignee", "There is no such agent.", code="agent_not_found")


async def policy_for(
    tx: Tx, kind: TicketKind, priority: TicketPriority, value_group: str | None, channel: str
) -> Policy:
    own = await store.current_policies(tx)
    return await policy_now(tx, choose(own, kind=kind, priority=priority, value_group=value_group, channel=channel))


def promise(policy: Policy, kind: TicketKind) -> dict[str, Any]:
    """What a history entry keeps of the terms that hold from then on."""
    return {
        "policy_id": str(policy.id),
        "policy_version": policy.version,
        "calendar_id": str(policy.calendar_id) if policy.calendar_id else None,
        "calendar_version": policy.calendar_version,
        "kind": kind.value,
    }


async def record(
    tx: Tx, current: Ticket, happening: Happening, viewer: Viewer, now: datetime, body: dict[str, Any]
) -> Ticket:
    sequence = current.last_event + 1
    kept = {name: value for name, value in body.items() if value != ""}
    await store.append(tx, current.id, HistoryEntry(sequence, happening, now, viewer.subject, kept))
    return replace(current, last_event=sequence)


def emit(tx: Tx, event: type[TicketFact], current: Ticket, now: datetime, **more: Any) -> None:
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
