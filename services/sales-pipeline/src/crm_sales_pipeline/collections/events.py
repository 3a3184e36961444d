"""What collections publish."""

from typing import Any, ClassVar

from crm_sales_pipeline.identifiers import CampaignId, CustomerId, OrderId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, MoneyField

_CUSTOMER = "cus_064gkndciprknf6emc10j6k0as"
_ORDER = "ord_064gkndciprknf6emc10j6k0as"
_AMOUNT = {"amount": "29.98", "currency": "EUR"}


class PaymentReceived(EventPayload):
    """Cash came in for an order."""

    TYPE: ClassVar[str] = "crm.payment.received.v1"
    ID_PREFIX: ClassVar[str] = "pay"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "order_id": _ORDER,
        "campaign_id": "cmp_064gkndciprknf6emc10j6k0as",
        "amount": _AMOUNT,
        "received_at": "2026-11-21T09:30:00Z",
    }

    customer_id: CustomerId
    order_id: OrderId
    campaign_id: CampaignId | None
    amount: MoneyField
    received_at: Instant


class PaymentRefunded(EventPayload):
    """Cash went back."""

    TYPE: ClassVar[str] = "crm.payment.refunded.v1"
    ID_PREFIX: ClassVar[str] = "pay"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "order_id": _ORDER,
        "campaign_id": None,
        "amount": _AMOUNT,
        "reason": "returned goods",
        "refunded_at": "2026-11-21T09:30:00Z",
    }

    customer_id: CustomerId
    order_id: OrderId
    campaign_id: CampaignId | None
    amount: MoneyField
    reason: str
    refunded_at: Instant
