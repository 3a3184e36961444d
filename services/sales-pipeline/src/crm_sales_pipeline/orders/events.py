"""What orders publish."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from crm_sales_pipeline.identifiers import CampaignId, CustomerId, DealId, QuoteId
from crm_shared.events import EventPayload
from crm_shared.fields import DecimalField, Instant, MoneyField

_CUSTOMER = "cus_064gkndciprknf6emc10j6k0as"
_TOTAL = {"amount": "29.98", "currency": "EUR"}
_AT = "2026-11-21T09:30:00Z"


class _OrderEvent(EventPayload):
    ID_PREFIX: ClassVar[str] = "ord"


class PlacedLine(BaseModel):
    """One line of a placed order; `total` includes discounts and tax."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: str
    name: str
    quantity: DecimalField
    unit_price: MoneyField
    total: MoneyField


class OrderPlaced(_OrderEvent):
    """Something was sold."""

    TYPE: ClassVar[str] = "crm.order.placed.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "deal_id": "deal_064gkndciprknf6emc10j6k0as",
        "quote_id": "quo_064gkndciprknf6emc10j6k0as",
        "campaign_id": "cmp_064gkndciprknf6emc10j6k0as",
        "number": "O-2026-000009",
        "total": _TOTAL,
        "lines": [
            {
                "sku": "CD-1001",
                "name": "Kind of Blue",
                "quantity": "2",
                "unit_price": {"amount": "14.99", "currency": "EUR"},
                "total": _TOTAL,
            }
        ],
        "placed_at": _AT,
    }

    customer_id: CustomerId
    deal_id: DealId | None
    quote_id: QuoteId | None
    campaign_id: CampaignId | None
    number: str
    total: MoneyField
    lines: list[PlacedLine]
    placed_at: Instant


class OrderPaid(_OrderEvent):
    """All that was owed has come in; said once for each order."""

    TYPE: ClassVar[str] = "crm.order.paid.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "number": "O-2026-000009",
        "total": _TOTAL,
        "paid_at": _AT,
    }

    customer_id: CustomerId
    number: str
    total: MoneyField
    paid_at: Instant


class OrderOverdue(_OrderEvent):
    """The due date passed with something still owed; said once for each order."""

    TYPE: ClassVar[str] = "crm.order.overdue.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "number": "O-2026-000009",
        "outstanding": _TOTAL,
        "due_at": _AT,
    }

    customer_id: CustomerId
    number: str
    outstanding: MoneyField
    due_at: Instant


class OrderDelivered(_OrderEvent):
    """The last of the goods went out."""

    TYPE: ClassVar[str] = "crm.order.delivered.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {"customer_id": _CUSTOMER, "delivered_at": _AT}

    customer_id: CustomerId
    delivered_at: Instant


class ReturnedLine(BaseModel):
    """How much of a position came back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: str
    quantity: DecimalField


class OrderReturned(_OrderEvent):
    """Goods came back."""

    TYPE: ClassVar[str] = "crm.order.returned.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "lines": [{"sku": "CD-1001", "quantity": "1"}],
        "reason": "scratched",
        "returned_at": _AT,
    }

    customer_id: CustomerId
    lines: list[ReturnedLine]
    reason: str
    returned_at: Instant
