"""What deals publish."""

from typing import Annotated, Any, ClassVar

from crm_sales_pipeline.identifiers import CampaignId, CustomerId, LeadId, UserId
from crm_sales_pipeline.pipelines.domain import Canonical
from crm_shared.events import EventPayload
from crm_shared.fields import MoneyField, extensible

_CUSTOMER = "cus_064gkndciprknf6emc10j6k0as"
_USER = "usr_064gkndciprknf6emc10j6k0as"
_CAMPAIGN = "cmp_064gkndciprknf6emc10j6k0as"
_AMOUNT = {"amount": "1200.00", "currency": "EUR"}


class _DealEvent(EventPayload):
    ID_PREFIX: ClassVar[str] = "deal"


class DealOpened(_DealEvent):
    """There is a chance to sell."""

    TYPE: ClassVar[str] = "crm.deal.opened.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "name": "Jazz box sets",
        "amount": _AMOUNT,
        "pipeline": "Standard",
        "stage": "discovery",
        "owner": _USER,
        "campaign_id": _CAMPAIGN,
        "lead_id": "lead_064gkndciprknf6emc10j6k0as",
    }

    customer_id: CustomerId
    name: str
    amount: MoneyField | None
    pipeline: str
    stage: str
    owner: UserId | None
    campaign_id: CampaignId | None
    lead_id: LeadId | None


class DealStageChanged(_DealEvent):
    """The deal entered another stage."""

    TYPE: ClassVar[str] = "crm.deal.stage-changed.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "from_stage": "discovery",
        "to_stage": "proposal",
        "canonical": "ongoing",
        "owner": _USER,
    }

    customer_id: CustomerId
    from_stage: str
    to_stage: str
    canonical: Annotated[Canonical, extensible(Canonical)]
    owner: UserId | None


class DealWon(_DealEvent):
    """The customer said yes."""

    TYPE: ClassVar[str] = "crm.deal.won.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {"customer_id": _CUSTOMER, "amount": _AMOUNT, "campaign_id": _CAMPAIGN}

    customer_id: CustomerId
    amount: MoneyField | None
    campaign_id: CampaignId | None


class DealLost(_DealEvent):
    """The customer said no, for this reason."""

    TYPE: ClassVar[str] = "crm.deal.lost.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {"customer_id": _CUSTOMER, "reason": "price", "competitor": "Acme"}

    customer_id: CustomerId
    reason: str
    competitor: str | None
