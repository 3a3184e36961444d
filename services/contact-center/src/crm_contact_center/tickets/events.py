"""What happens to tickets, for the rest of the suite. What was written stays here."""

from typing import Annotated, Any, ClassVar

from crm_contact_center.references import CustomerId, InteractionId
from crm_contact_center.tickets.domain.cases import TicketKind, TicketPriority, TicketState
from crm_contact_center.tickets.domain.policies import Clock
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, extensible

_CUSTOMER = "cus_0690k2plir3lfsae6ao9k2g2as"


def _example(**more: Any) -> dict[str, Any]:
    return {
        "customer_id": _CUSTOMER,
        "number": 1042,
        "kind": "complaint",
        "subject": "Wrong size delivered",
        "priority": "normal",
        "channel": "email",
        "interaction_id": None,
        "at": "2026-11-21T09:00:00Z",
        **more,
    }


class TicketFact(EventPayload):
    """What every event of a ticket tells."""

    TYPE: ClassVar = ""
    ID_PREFIX: ClassVar = "tkt"
    EXAMPLE: ClassVar[dict[str, Any]] = {}

    customer_id: CustomerId | None
    number: int
    kind: Annotated[str, extensible(TicketKind)]
    subject: str
    priority: Annotated[str, extensible(TicketPriority)]
    channel: str
    interaction_id: InteractionId | None
    at: Instant


class TicketOpened(TicketFact):
    """A customer has a matter with us."""

    TYPE: ClassVar = "crm.ticket.opened.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example()


class TicketPending(TicketFact):
    """It waits for somebody else: the customer, a department, a supplier."""

    TYPE: ClassVar = "crm.ticket.pending.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(state="pending_department", department="warehouse")

    state: Annotated[str, extensible(TicketState)]
    department: str | None


class TicketSolved(TicketFact):
    """The customer has been helped; whether in time, by each clock that its policy sets."""

    TYPE: ClassVar = "crm.ticket.solved.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(first_response_kept=True, resolution_kept=True)

    first_response_kept: bool | None
    resolution_kept: bool | None


class TicketReopened(TicketFact):
    """They had not been."""

    TYPE: ClassVar = "crm.ticket.reopened.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example()


class TicketClosed(TicketFact):
    """The matter is over for good."""

    TYPE: ClassVar = "crm.ticket.closed.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example()


class ClockFact(EventPayload):
    """What a warning and a breach tell."""

    TYPE: ClassVar = ""
    ID_PREFIX: ClassVar = "tkt"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "number": 1042,
        "clock": "first_response",
        "due_at": "2026-11-21T09:10:00Z",
    }

    customer_id: CustomerId | None
    number: int
    clock: Annotated[str, extensible(Clock)]
    due_at: Instant


class SlaWarned(ClockFact):
    """A promise is about to be broken; `due_at` is when it will be."""

    TYPE: ClassVar = "crm.ticket.sla-warned.v1"


class SlaBreached(ClockFact):
    """A promise was broken; `due_at` is when it should have been kept."""

    TYPE: ClassVar = "crm.ticket.sla-breached.v1"


EVENTS = (TicketOpened, TicketPending, TicketSolved, TicketReopened, TicketClosed, SlaWarned, SlaBreached)
