"""What leads publish."""

from typing import Annotated, Any, ClassVar

from crm_sales_pipeline.identifiers import CampaignId, CustomerId, DealId, ResponseId, UserId
from crm_sales_pipeline.leads.domain.windows import BuyingWindow
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, extensible

_CUSTOMER = "cus_064gkndciprknf6emc10j6k0as"
_USER = "usr_064gkndciprknf6emc10j6k0as"
_CAMPAIGN = "cmp_064gkndciprknf6emc10j6k0as"
_AT = "2026-11-21T09:30:00Z"


class _LeadEvent(EventPayload):
    ID_PREFIX: ClassVar[str] = "lead"


class LeadCaptured(_LeadEvent):
    """Somebody showed interest."""

    TYPE: ClassVar[str] = "crm.lead.captured.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "source": "campaign",
        "campaign_id": _CAMPAIGN,
        "response_id": "rsp_064gkndciprknf6emc10j6k0as",
        "buying_window": "within_3_months",
        "approach": "seller_prompt",
        "interest": "jazz box set",
        "captured_at": _AT,
    }

    customer_id: CustomerId | None
    source: str
    campaign_id: CampaignId | None
    response_id: ResponseId | None
    buying_window: Annotated[BuyingWindow, extensible(BuyingWindow)]
    approach: str
    interest: str | None
    captured_at: Instant


class LeadAssigned(_LeadEvent):
    """A seller is to follow the lead up."""

    TYPE: ClassVar[str] = "crm.lead.assigned.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {"customer_id": _CUSTOMER, "owner": _USER, "first_contact_due_at": _AT}

    customer_id: CustomerId | None
    owner: UserId
    first_contact_due_at: Instant | None


class LeadContacted(_LeadEvent):
    """Somebody got in touch, which stops the first-contact clock."""

    TYPE: ClassVar[str] = "crm.lead.contacted.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "owner": _USER,
        "contacted_at": _AT,
        "seconds_to_contact": 1260,
        "campaign_id": _CAMPAIGN,
    }

    customer_id: CustomerId | None
    owner: UserId | None
    contacted_at: Instant
    seconds_to_contact: int
    campaign_id: CampaignId | None


class LeadConverted(_LeadEvent):
    """The lead became a deal, or joined one."""

    TYPE: ClassVar[str] = "crm.lead.converted.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "deal_id": "deal_064gkndciprknf6emc10j6k0as",
        "campaign_id": _CAMPAIGN,
    }

    customer_id: CustomerId
    deal_id: DealId
    campaign_id: CampaignId | None


class LeadRecycled(_LeadEvent):
    """Not now: the lead comes back later."""

    TYPE: ClassVar[str] = "crm.lead.recycled.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {"customer_id": _CUSTOMER, "reason": "budget next year", "resurface_at": _AT}

    customer_id: CustomerId | None
    reason: str
    resurface_at: Instant | None


class LeadSlaBreached(_LeadEvent):
    """Nobody got in touch in time; said once for each run of the clock."""

    TYPE: ClassVar[str] = "crm.lead.sla-breached.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {"customer_id": _CUSTOMER, "owner": _USER, "due_at": _AT}

    customer_id: CustomerId | None
    owner: UserId | None
    due_at: Instant
