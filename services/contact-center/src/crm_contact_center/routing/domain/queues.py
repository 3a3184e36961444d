"""Queues, the visits that interactions pay to them, and the reservations that lead to an agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from crm_contact_center.routing.domain.matching import Contact
from crm_contact_center.routing.domain.requirements import PRIORITY_STEP_S, Plan, RelaxationStep, RoutingStrategy

LAST_AGENT_WITHIN = timedelta(days=30)
"""How long a customer's last agent stays the one to be preferred."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Where interactions wait, and what an agent must be able to do to take them."""

    id: UUID
    name: str
    channels: tuple[str, ...]
    """Channels that come here by themselves; an empty tuple means none."""
    addresses: tuple[str, ...]
    """Our addresses (numbers, mailboxes) whose interactions come here by themselves."""
    requirements: Mapping[str, int]
    steps: tuple[RelaxationStep, ...]
    strategy: RoutingStrategy
    priority: int
    language_level: int | None
    """If set, the customer's language is a required skill at this level."""
    offer_timeout_s: int
    wrap_up_s: int
    preferred_wait_s: int
    """How long a customer waits for the agent they know while that one is busy."""
    reject_pause_s: int
    """How long an agent isn't asked again about an interaction they have rejected."""
    service_level_s: int
    calendar_id: UUID | None
    archived: bool
    version: int
    created_at: datetime


class VisitState(StrEnum):
    """Where a visit stands, or how it ended."""

    WAITING = "waiting"
    OFFERED = "offered"
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    WITHDRAWN = "withdrawn"


LIVE_VISIT = frozenset({VisitState.WAITING, VisitState.OFFERED})


@dataclass(frozen=True, slots=True)
class Visit:
    """One wait of one interaction in one queue. `place_at` orders the queue and survives whatever happens meanwhile."""

    id: UUID
    interaction_id: UUID
    queue_id: UUID
    channel: str
    cost: int
    needs: Mapping[str, int]
    priority: int
    entered_at: datetime
    place_at: datetime
    preferred_agent: UUID | None
    preferred_until: datetime | None
    excluded: Mapping[str, float]
    """Agent → time (seconds since the epoch) before which they aren't asked again."""
    state: VisitState
    left_at: datetime | None
    service_level_s: int
    offers: int
    version: int

    def contact(self, plan: Plan) -> Contact:
        """This visit as the index sees it."""
        return Contact(
            id=self.id,
            plan=plan,
            entered_at=self.entered_at.timestamp(),
            place_at=self.place_at.timestamp(),
            boost_s=self.priority * PRIORITY_STEP_S,
            version=self.version,
            preferred_agent=self.preferred_agent,
            preferred_until=self.preferred_until.timestamp() if self.preferred_until else 0,
            excluded={UUID(agent): until for agent, until in self.excluded.items()},
        )


class ReservationState(StrEnum):
    """Where a reservation stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    WRAPPING = "wrapping"
    COMPLETED = "completed"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    """The customer left, or the agent was lost in the middle of it."""
    RESCINDED = "rescinded"
    """Taken back before the agent had answered."""


HOLDS_CAPACITY = frozenset({ReservationState.PENDING, ReservationState.ACCEPTED, ReservationState.WRAPPING})
TALKING = frozenset({ReservationState.PENDING, ReservationState.ACCEPTED})
WITHDRAWN = frozenset(
    {ReservationState.REJECTED, ReservationState.TIMEOUT, ReservationState.CANCELED, ReservationState.RESCINDED}
)
"""States in which the card is taken from the screen again."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """An agent's time set aside for one interaction."""

    id: UUID
    visit_id: UUID
    interaction_id: UUID
    agent_id: UUID
    queue_id: UUID
    channel: str
    cost: int
    state: ReservationState
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None
    """When the conversation ended."""
    closed_at: datetime | None
    """When the capacity was given back."""
    hold_s: int
    wrap_up_s: int
    reason: str | None
    card: dict[str, Any] | None
    version: int

    def card_at(self, now: datetime) -> dict[str, Any] | None:
        """The screen-pop card while it is to be seen: an offer that has run out shows none, swept or not."""
        if self.state in WITHDRAWN or (self.state is ReservationState.PENDING and self.expires_at <= now):
            return None
        return self.card


class Offer(NamedTuple):
    """A reservation as it begins: what differs from one to the next in a batch."""

    id: UUID
    visit_id: UUID
    interaction_id: UUID
    agent_id: UUID
    queue_id: UUID
    channel: str
    cost: int
    expires_at: datetime
    wrap_up_s: int
    card: dict[str, Any]
