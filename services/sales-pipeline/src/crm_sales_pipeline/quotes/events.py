"""What quotes publish."""

from typing import Any, ClassVar

from crm_sales_pipeline.identifiers import CustomerId, DealId, OrderId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, MoneyField

_CUSTOMER = "cus_064gkndciprknf6emc10j6k0as"
_TOTAL = {"amount": "1428.00", "currency": "EUR"}


class _QuoteEvent(EventPayload):
    ID_PREFIX: ClassVar[str] = "quo"


class QuoteSent(_QuoteEvent):
    """The customer has the offer; it never changes from here on."""

    TYPE: ClassVar[str] = "crm.quote.sent.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "deal_id": "deal_064gkndciprknf6emc10j6k0as",
        "number": "Q-2026-000017",
        "version": 1,
        "total": _TOTAL,
        "valid_until": "2026-12-21T09:30:00Z",
    }

    customer_id: CustomerId
    deal_id: DealId | None
    number: str
    version: int
    total: MoneyField
    valid_until: Instant


class QuoteAccepted(_QuoteEvent):
    """The customer took the offer; there is an order now."""

    TYPE: ClassVar[str] = "crm.quote.accepted.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "order_id": "ord_064gkndciprknf6emc10j6k0as",
        "total": _TOTAL,
    }

    customer_id: CustomerId
    order_id: OrderId
    total: MoneyField


class QuoteExpired(_QuoteEvent):
    """The offer's time ran out."""

    TYPE: ClassVar[str] = "crm.quote.expired.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "deal_id": "deal_064gkndciprknf6emc10j6k0as",
        "number": "Q-2026-000017",
        "version": 1,
    }

    customer_id: CustomerId
    deal_id: DealId | None
    number: str
    version: int
