"""What a ticket is, which states it passes, and what its history consists of."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_shared.errors import Conflict


class TicketKind(StrEnum):
    """What the customer wants."""

    QUERY = "query"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    FAULT = "fault"
    RETURN_EXCHANGE = "return_exchange"
    SERVICE_REQUEST = "service_request"


class TicketPriority(StrEnum):
    """How much it matters."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TicketState(StrEnum):
    """Whose turn it is, or how it ended."""

    OPEN = "open"
    PENDING_CUSTOMER = "pending_customer"
    PENDING_DEPARTMENT = "pending_department"
    PENDING_SUPPLIER = "pending_supplier"
    SOLVED = "solved"
    CLOSED = "closed"
    REOPENED = "reopened"


class Happening(StrEnum):
    """What a ticket's history records; the clocks are computed from these and nothing else."""

    OPENED = "opened"
    REPLIED = "replied"
    CUSTOMER_REPLIED = "customer_replied"
    NOTED = "noted"
    PENDING = "pending"
    RESUMED = "resumed"
    HANDED_OFF = "handed_off"
    HANDED_BACK = "handed_back"
    CHANGED = "changed"
    SOLVED = "solved"
    REOPENED = "reopened"
    CLOSED = "closed"


PENDING = frozenset({TicketState.PENDING_CUSTOMER, TicketState.PENDING_DEPARTMENT, TicketState.PENDING_SUPPLIER})
WORKING = frozenset({TicketState.OPEN, TicketState.REOPENED}) | PENDING
"""States in which somebody still owes the customer an answer, or the customer us."""

_MOVES: dict[TicketState, frozenset[TicketState]] = {
    TicketState.OPEN: PENDING | {TicketState.SOLVED, TicketState.CLOSED},
    TicketState.REOPENED: PENDING | {TicketState.SOLVED, TicketState.CLOSED},
    **{state: (PENDING - {state}) | {TicketState.OPEN, TicketState.SOLVED, TicketState.CLOSED} for state in PENDING},
    TicketState.SOLVED: frozenset({TicketState.REOPENED, TicketState.CLOSED}),
    TicketState.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One matter of one customer."""

    id: UUID
    number: int
    customer_id: UUID | None
    interaction_id: UUID | None
    channel: str
    kind: TicketKind
    priority: TicketPriority
    subject: str
    description: str | None
    expected: str | None
    """What the customer had expected to get…"""
    delivered: str | None
    """…and what was delivered instead."""
    state: TicketState
    department: str | None
    assignee: UUID | None
    value_group: str | None
    policy_id: UUID
    policy_version: int
    opened_at: datetime
    first_response_at: datetime | None
    solved_at: datetime | None
    closed_at: datetime | None
    next_due_at: datetime | None
    """When a clock needs looking at next; an index for the sweeper, not the truth."""
    last_event: int
    version: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One fact of a ticket's history, numbered from 1; never changed, never removed."""

    sequence: int
    happening: Happening
    at: datetime
    actor: str
    body: dict[str, Any]


def check_move(ticket: Ticket, to: TicketState) -> None:
    """Refuses what the states don't allow.

    Raises:
        Conflict: naming the present state and the way out of it.
    """
    if to in _MOVES[ticket.state]:
        return
    if ticket.state is TicketState.CLOSED:
        raise Conflict("The ticket is closed for good; open a new one.", code="ticket_closed")
    if ticket.state is TicketState.SOLVED:
        raise Conflict("The ticket is already solved; reopen it first.", code="ticket_solved")
    raise Conflict(f"A ticket that is {ticket.state} cannot become {to}.", code="ticket_state")


def state_after_customer_reply(state: TicketState) -> TicketState:
    """A customer who writes ends our waiting for the customer and reopens what we thought was solved."""
    if state is TicketState.PENDING_CUSTOMER:
        return TicketState.OPEN
    if state is TicketState.SOLVED:
        return TicketState.REOPENED
    return state
