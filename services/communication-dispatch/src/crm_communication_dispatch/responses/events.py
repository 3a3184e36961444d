"""What this slice says about responses and about messages that were answered."""

from typing import Any, ClassVar

from crm_communication_dispatch.fields import CampaignId, CustomerId, MessageId
from crm_communication_dispatch.messages.events import MessageFact
from crm_communication_dispatch.responses.domain import Response
from crm_shared.events import EventPayload
from crm_shared.fields import Instant


class MessageClicked(MessageFact):
    """A person followed a link in it, for the first time."""

    TYPE: ClassVar[str] = "crm.message.clicked.v1"


class MessageReplied(MessageFact):
    """The customer wrote back."""

    TYPE: ClassVar[str] = "crm.message.replied.v1"


class MessageComplained(MessageFact):
    """The customer reported it as unwanted."""

    TYPE: ClassVar[str] = "crm.message.complained.v1"


class MessageUnsubscribed(MessageFact):
    """The customer wants no more of this purpose on this channel."""

    TYPE: ClassVar[str] = "crm.message.unsubscribed.v1"


class ResponseCaptured(EventPayload):
    """A customer answered; `wants` says what the campaign's rule makes of it."""

    TYPE: ClassVar[str] = "crm.response.captured.v1"
    ID_PREFIX: ClassVar[str] = "rsp"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": "cus_064gkndciprknf6emc10j6k0as",
        "campaign_id": "cmp_064gkndciprknf6emc10j6k0as",
        "message_id": "msg_064gkndciprknf6emc10j6k0as",
        "kind": "reply",
        "buying_window": "within_3_months",
        "text": "Please call me.",
        "wants": "lead",
        "captured_at": "2026-01-31T12:00:00Z",
    }

    customer_id: CustomerId
    campaign_id: CampaignId | None
    message_id: MessageId | None
    kind: str
    buying_window: str | None
    text: str | None
    wants: str
    captured_at: Instant

    @classmethod
    def of(cls, found: Response) -> "ResponseCaptured":
        """The event of a captured response."""
        return cls.model_construct(
            customer_id=found.customer_id,
            campaign_id=found.campaign_id,
            message_id=found.message_id,
            kind=found.kind.value,
            buying_window=found.buying_window.value if found.buying_window else None,
            text=found.text,
            wants=found.wants,
            captured_at=found.captured_at,
        )
