"""Deliveries: one event on its way to one endpoint."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from crm_gateway.webhooks.domain.retries import next_try

TEST_TYPE = "crm.webhook.test.v1"


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class Reason(StrEnum):
    """Why a delivery was dropped, or failed for good."""

    ATTEMPTS_USED_UP = "attempts_used_up"
    WEBHOOK_DISABLED = "webhook_disabled"
    NOT_ALLOWED = "not_allowed"
    """The endpoint's owner may not see events of this type any more."""
    EVENT_ERASED = "event_erased"
    """Whom it spoke of has been erased."""
    EVENT_TOO_OLD = "event_too_old"
    TEST_FAILED = "test_failed"
    """Tests are tried once."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint. `failures` counts since it was last begun, `attempts` all there were."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    type: str
    subject: str
    position: int | None
    state: State
    reason: str | None
    attempts: int
    failures: int
    next_at: datetime | None
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one POST: a status, or an error in a few words; `told` is the beginning of the answer's body."""

    status: int | None
    error: str | None
    told: str
    retry_after: str | None
    duration_ms: int

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == 410


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, and what came of it."""

    number: int
    at: datetime
    status: int | None
    error: str | None
    duration_ms: int
    told: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What a delivery has come to."""

    state: State
    reason: Reason | None
    failures: int
    next_at: datetime | None


def settle(failures: int, answered: Answered, *, now: datetime, chance: float) -> Settled:
    """What a delivery comes to by one more attempt, after so many failures."""
    if answered.succeeded:
        return Settled(State.DELIVERED, None, failures, None)
    if answered.gone:
        return Settled(State.DROPPED, Reason.WEBHOOK_DISABLED, failures + 1, None)
    again = next_try(failures + 1, now=now, chance=chance)
    if again is None:
        return Settled(State.FAILED, Reason.ATTEMPTS_USED_UP, failures + 1, None)
    return Settled(State.PENDING, None, failures + 1, again)
