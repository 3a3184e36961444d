"""What this slice says about messages."""

from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from crm_communication_dispatch.fields import CampaignId, CustomerId
from crm_communication_dispatch.messages.domain import Message, Status
from crm_shared.db.pool import Tx
from crm_shared.events import EventPayload
from crm_shared.fields import Instant

_EXAMPLE: dict[str, Any] = {
    "customer_id": "cus_064gkndciprknf6emc10j6k0as",
    "channel": "email",
    "purpose": "marketing",
    "campaign_id": "cmp_064gkndciprknf6emc10j6k0as",
    "subject": "We miss you, Ada",
    "reason": None,
    "at": "2026-01-31T12:00:00Z",
}


class MessageFact(EventPayload):
    """Something that happened to a message on its way to a customer."""

    ID_PREFIX: ClassVar[str] = "msg"
    EXAMPLE: ClassVar[dict[str, Any]] = _EXAMPLE

    customer_id: CustomerId
    channel: str
    purpose: str
    campaign_id: CampaignId | None
    subject: str | None
    reason: str | None
    at: Instant

    @classmethod
    def about(cls, message: Message, *, reason: str | None, at: datetime, subject: str | None = None) -> Self:
        """The event of one message; test sends concern nobody and have none."""
        customer: UUID | None = message.customer_id
        assert customer is not None
        return cls.model_construct(
            customer_id=customer,
            channel=message.channel,
            purpose=message.purpose,
            campaign_id=message.campaign_id,
            subject=subject or message.subject,
            reason=reason,
            at=at,
        )


class MessageAccepted(MessageFact):
    """A provider took the message."""

    TYPE: ClassVar[str] = "crm.message.accepted.v1"


class MessageDelivered(MessageFact):
    """The message reached the customer."""

    TYPE: ClassVar[str] = "crm.message.delivered.v1"


class MessageBounced(MessageFact):
    """The address or mailbox refused it."""

    TYPE: ClassVar[str] = "crm.message.bounced.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {**_EXAMPLE, "reason": "bad_address"}


class MessageFailed(MessageFact):
    """It could not be sent, for a reason that isn't the customer's."""

    TYPE: ClassVar[str] = "crm.message.failed.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {**_EXAMPLE, "reason": "refused_us"}


class MessageSuppressed(MessageFact):
    """The policy forbade it."""

    TYPE: ClassVar[str] = "crm.message.suppressed.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {**_EXAMPLE, "reason": "consent_revoked"}


_BY_STATUS: dict[Status, type[MessageFact]] = {
    Status.ACCEPTED: MessageAccepted,
    Status.DELIVERED: MessageDelivered,
    Status.BOUNCED: MessageBounced,
    Status.FAILED: MessageFailed,
    Status.SUPPRESSED: MessageSuppressed,
}


def tell(
    tx: Tx, message: Message, status: Status, *, reason: str | None, at: datetime, subject: str | None = None
) -> None:
    """Say that a message came to `status`, if that is anybody's business; `subject` if it has just been written."""
    kind = _BY_STATUS.get(status)
    if kind is not None and message.customer_id is not None:
        tx.emit(kind.about(message, reason=reason, at=at, subject=subject), aggregate_id=message.id)
