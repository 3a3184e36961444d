"""Service-level policies: how soon a customer is answered and helped, and which policy holds for a ticket."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from crm_contact_center.calendars.domain import Calendar, working_day
from crm_contact_center.tickets.domain.cases import PENDING, TicketKind, TicketPriority, TicketState


class Clock(StrEnum):
    """What is measured."""

    FIRST_RESPONSE = "first_response"
    RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True)
class Target:
    """How long something may take: open time, or parts of an ordinary working day of the calendar that applies."""

    seconds: int | None = None
    working_days: float | None = None

    def within(self, calendar: Calendar) -> timedelta:
        """The target as open time of this calendar."""
        if self.seconds is not None:
            return timedelta(seconds=self.seconds)
        return working_day(calendar) * (self.working_days or 0)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy; a criterion that is None matches everything."""

    id: UUID
    version: int
    name: str
    kind: TicketKind | None = None
    priority: TicketPriority | None = None
    value_group: str | None = None
    channel: str | None = None
    targets: dict[Clock, Target] = field(default_factory=dict[Clock, Target])
    pauses: frozenset[TicketState] | None = None
    """Pending states that stop the clocks; None leaves it to `default_pauses`."""
    warn_at: float = 0.8
    """The share of the target after which a warning is due, 0…1."""
    calendar_id: UUID | None = None
    calendar_version: int | None = None

    def pausing_states(self, kind: TicketKind) -> frozenset[TicketState]:
        """The pending states that stop the clocks of a ticket of this kind."""
        return default_pauses(kind) if self.pauses is None else self.pauses


def default_pauses(kind: TicketKind) -> frozenset[TicketState]:
    """Waiting for somebody else stops the clocks, but a complaint runs until the customer has the answer."""
    return frozenset() if kind is TicketKind.COMPLAINT else PENDING


def _built_in(number: int, name: str, targets: dict[Clock, Target], **criteria: TicketKind | str) -> Policy:
    return Policy(id=UUID(int=number), version=1, name=name, targets=targets, **criteria)  # pyright: ignore[reportArgumentType]


_TEN_MINUTES = Target(seconds=600)
_FOUR_HOURS = Target(seconds=4 * 3600)
_HALF_A_DAY = Target(working_days=0.5)

BUILT_IN = (
    _built_in(
        1,
        "Complaint: handled in half a working day",
        {Clock.FIRST_RESPONSE: _HALF_A_DAY, Clock.RESOLUTION: _HALF_A_DAY},
        kind=TicketKind.COMPLAINT,
    ),
    _built_in(2, "E-mail: answered in four hours", {Clock.FIRST_RESPONSE: _FOUR_HOURS}, channel="email"),
    _built_in(3, "Query: answered in ten minutes", {Clock.FIRST_RESPONSE: _TEN_MINUTES}, kind=TicketKind.QUERY),
    _built_in(4, "Anything else", {Clock.FIRST_RESPONSE: _FOUR_HOURS, Clock.RESOLUTION: Target(working_days=3)}),
)
"""What holds where a tenant has said nothing; the first that matches."""


def choose(
    policies: Iterable[Policy], *, kind: TicketKind, priority: TicketPriority, value_group: str | None, channel: str
) -> Policy:
    """The most specific of the tenant's policies that matches, the older of equals; else the built-in one."""
    facts = (kind, priority, value_group, channel)
    matching = [policy for policy in policies if _matches(policy, facts)]
    if matching:
        return max(matching, key=lambda policy: (_weight(policy), -policy.id.int))
    return next(policy for policy in BUILT_IN if _matches(policy, facts))


def _criteria(policy: Policy) -> tuple[object, ...]:
    return policy.kind, policy.priority, policy.value_group, policy.channel


def _matches(policy: Policy, facts: tuple[object, ...]) -> bool:
    return all(wanted is None or wanted == fact for wanted, fact in zip(_criteria(policy), facts, strict=True))


def _weight(policy: Policy) -> int:
    return sum(wanted is not None for wanted in _criteria(policy))
