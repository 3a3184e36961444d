"""A lead and what may become of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from crm_sales_pipeline.leads.domain.windows import BuyingWindow
from crm_shared.errors import Conflict, Invalid


class LeadState(StrEnum):
    """Where a lead stands."""

    NEW = "new"
    ASSIGNED = "assigned"
    WORKING = "working"
    QUALIFIED = "qualified"
    CONVERTED = "converted"
    RECYCLED = "recycled"
    DEAD = "dead"


OPEN_STATES = (LeadState.NEW, LeadState.ASSIGNED, LeadState.WORKING, LeadState.QUALIFIED, LeadState.RECYCLED)

_MOVES: dict[LeadState, frozenset[LeadState]] = {
    LeadState.NEW: frozenset({LeadState.ASSIGNED, LeadState.WORKING, LeadState.RECYCLED, LeadState.DEAD}),
    LeadState.ASSIGNED: frozenset({LeadState.NEW, LeadState.WORKING, LeadState.RECYCLED, LeadState.DEAD}),
    LeadState.WORKING: frozenset({LeadState.QUALIFIED, LeadState.CONVERTED, LeadState.RECYCLED, LeadState.DEAD}),
    LeadState.QUALIFIED: frozenset({LeadState.CONVERTED, LeadState.RECYCLED, LeadState.DEAD}),
    LeadState.RECYCLED: frozenset({LeadState.NEW, LeadState.ASSIGNED, LeadState.WORKING, LeadState.DEAD}),
    LeadState.CONVERTED: frozenset(),
    LeadState.DEAD: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach somebody who isn't (known to be) a customer yet."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    company: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a lead came from; kept to the last payment. `source_key` is the source's own name for it."""

    source: str
    source_key: str | None = None
    campaign_id: UUID | None = None
    response_id: UUID | None = None
    channel: str | None = None
    partner: str | None = None
    referrer: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """One person's or company's interest.

    `captured_window` never changes (rates are counted by it), `buying_window` does. `clock_started_at` is when the
    first-contact clock began: at capture, or when the lead resurfaced.
    """

    id: UUID
    customer_id: UUID | None
    contact: Contact
    origin: Origin
    interest: str | None
    captured_window: BuyingWindow
    buying_window: BuyingWindow
    state: LeadState
    owner_id: UUID | None
    score: int
    captured_at: datetime
    clock_started_at: datetime
    first_contact_due_at: datetime | None
    sla_breached_at: datetime | None
    contacted_at: datetime | None
    seconds_to_contact: int | None
    resurface_at: datetime | None
    resurface_as: BuyingWindow | None
    resurfaced: int
    ended_at: datetime | None
    reason: str | None
    deal_id: UUID | None
    version: int

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


def check_move(lead: Lead, to: LeadState) -> None:
    """Refuse a step that the state machine doesn't have.

    Raises:
        Conflict: the lead can't go there from where it is.
    """
    if to not in _MOVES[lead.state]:
        detail = f"A lead that is {lead.state} cannot become {to}."
        if lead.state in (LeadState.NEW, LeadState.ASSIGNED) and to in (LeadState.QUALIFIED, LeadState.CONVERTED):
            detail += " Record a contact first."
        raise Conflict(detail, code=f"lead_{lead.state}")


def may_move(state: LeadState, to: LeadState) -> bool:
    """Whether the state machine has this step."""
    return to in _MOVES[state]


def check_reachable(*, customer_id: UUID | None, contact: Contact) -> None:
    """Refuse a lead that nobody could ever answer."""
    if customer_id is None and not (contact.email or contact.phone):
        message = "A lead needs a customer, an e-mail address or a telephone number, or nobody could answer it."
        raise Invalid.field("/contact", message, code="lead_unreachable")


def identity_of(*, customer_id: UUID | None, contact: Contact) -> str:
    """The key by which two captures of one source are the same open lead."""
    if customer_id is not None:
        return f"customer:{customer_id}"
    if contact.email:
        return f"email:{fold_email(contact.email)}"
    return f"phone:{fold_phone(contact.phone or '')}"


def fold_email(email: str) -> str:
    """The address as compared: case and surrounding blanks don't distinguish people."""
    return email.strip().casefold()


def fold_phone(phone: str) -> str:
    """The number as compared: digits only, with 00 read as the international +."""
    digits = "".join(character for character in phone if character.isdigit())
    return digits.removeprefix("00")


def seconds_between(started: datetime, ended: datetime) -> int:
    """Whole seconds from one to the other, never below zero (a contact may be recorded with an earlier time)."""
    return max(0, int((ended - started).total_seconds()))
