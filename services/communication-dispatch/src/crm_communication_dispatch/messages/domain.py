"""The life of one message: what may follow what, and what a late or repeated receipt may still change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_communication_dispatch.providers.domain import Answer, Fault, Outcome, back_off
from crm_shared.errors import Conflict

TEST = "test"
"""The purpose of a test send: it goes to whom its author named, and concerns no customer."""


class Status(StrEnum):
    """Where a message stands."""

    PLANNED = "planned"
    HELD = "held"
    QUEUED = "queued"
    ATTEMPTING = "attempting"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"


FINAL = frozenset({Status.DELIVERED, Status.BOUNCED, Status.FAILED, Status.SUPPRESSED, Status.EXPIRED})
"""Nothing moves a message out of these."""

END = FINAL | {Status.ACCEPTED, Status.UNKNOWN}
"""A campaign is complete when all its messages are here; receipts may still refine `accepted` and `unknown`."""

WAITING = frozenset({Status.PLANNED, Status.HELD, Status.QUEUED})

_FOLLOWERS: Mapping[Status, frozenset[Status]] = {
    Status.PLANNED: frozenset({Status.HELD, Status.QUEUED, Status.SUPPRESSED, Status.EXPIRED, Status.FAILED}),
    Status.HELD: frozenset(
        {Status.HELD, Status.PLANNED, Status.QUEUED, Status.ATTEMPTING, Status.SUPPRESSED, Status.EXPIRED}
    ),
    Status.QUEUED: frozenset(
        {Status.HELD, Status.PLANNED, Status.ATTEMPTING, Status.SUPPRESSED, Status.EXPIRED, Status.FAILED}
    ),
    Status.ATTEMPTING: frozenset(
        {Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.FAILED, Status.UNKNOWN, Status.QUEUED}
    ),
    Status.ACCEPTED: frozenset({Status.DELIVERED, Status.BOUNCED, Status.FAILED}),
    # An unknown message may have gone out, so only receipts or a policy that accepts a double may move it.
    Status.UNKNOWN: frozenset({Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.FAILED, Status.QUEUED}),
}


def may_follow(current: Status, following: Status) -> bool:
    """Whether a message may go from one state to another."""
    return following in _FOLLOWERS.get(current, frozenset())


class ReceiptKind(StrEnum):
    """What somebody later says about a message that left us."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"


def after_receipt(current: Status, receipt: ReceiptKind) -> Status | None:
    """The state after a receipt; None when the receipt is late, repeated or early, and only kept on file."""
    following = Status(receipt.value)
    if current in FINAL or current is following or current in WAITING:
        return None
    return following if may_follow(current, following) else None


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the ledger."""

    id: UUID
    customer_id: UUID | None
    channel: str
    purpose: str
    campaign_id: UUID | None
    step: str
    variant: str | None
    template_id: UUID
    template_number: int
    variables: Mapping[str, Any]
    language: str | None
    address: str | None
    subject: str | None
    status: Status
    reason: str | None
    due_at: datetime | None
    expires_at: datetime | None
    attempts: int
    coupon: str | None
    consent_id: UUID | None
    explanation: Mapping[str, Any]
    cost: Decimal
    currency: str
    created_by: str
    planned_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of the provider, never changed afterwards."""

    message_id: UUID
    number: int
    started_at: datetime
    outcome: str
    fault: str
    code: int | None
    enhanced: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One thing said about a message after it left us, kept even when it changed nothing."""

    id: UUID
    message_id: UUID
    kind: str
    applied: bool
    enhanced: str | None
    detail: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """The state one answer leads to; `due_at` when it will be tried again."""

    status: Status
    reason: str | None
    due_at: datetime | None


def settle(answer: Answer, attempts: int, now: datetime, *, retry_unknown: bool = False) -> Settled:
    """What an answer to attempt number `attempts` makes of the message; some purposes would rather arrive twice."""
    if answer.outcome is Outcome.ACCEPTED:
        return Settled(Status.ACCEPTED, None, None)
    wait = back_off(attempts)
    if answer.outcome is Outcome.UNKNOWN:
        again = now + wait if retry_unknown and wait is not None else None
        return Settled(Status.QUEUED if again else Status.UNKNOWN, "connection_lost", again)
    if answer.outcome is Outcome.DEFERRED and wait is not None:
        return Settled(Status.QUEUED, f"deferred_{answer.fault.value}", now + wait)
    if answer.outcome is Outcome.DEFERRED:
        return Settled(Status.FAILED, f"gave_up_{answer.fault.value}", None)
    if answer.fault in (Fault.ADDRESS, Fault.MAILBOX):
        return Settled(Status.BOUNCED, f"bad_{answer.fault.value}", None)
    return Settled(Status.FAILED, f"refused_{answer.fault.value}", None)


def after_crash(purpose: str, retried: frozenset[str]) -> Status:
    """What becomes of a message whose attempt nobody saw the end of: some purposes would rather arrive twice."""
    return Status.QUEUED if purpose in retried else Status.UNKNOWN


def require_cancellable(message: Message) -> None:
    """Refuse to call back what has gone.

    Raises:
        Conflict: it is being sent, or has ended.
    """
    if message.status not in WAITING:
        raise Conflict(
            f"The message is {message.status.value}; only a waiting one can be cancelled.", code="message_gone"
        )
