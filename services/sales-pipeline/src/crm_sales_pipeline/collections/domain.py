"""Money that came in and went back, and what it did to the order."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from crm_sales_pipeline.orders.domain import Order
from crm_shared.errors import Conflict, Invalid
from crm_shared.money import CurrencyMismatch, Money


class PaymentKind(StrEnum):
    """Which way the money went."""

    RECEIPT = "receipt"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Payment:
    """One movement of money for an order; `reference` is the bank's or till's own name for it, unique per tenant."""

    id: UUID
    order_id: UUID
    customer_id: UUID
    campaign_id: UUID | None
    kind: PaymentKind
    reference: str
    method: str | None
    amount: Money
    reason: str | None
    received_at: datetime
    version: int


def check_amount(order: Order, amount: Money) -> None:
    """Refuse what is no payment of this order.

    Overpaying is allowed: money that arrived is booked, and the surplus shows as the order's credit.
    """
    if amount.currency != order.totals.total.currency:
        detail = f"The order is in {order.totals.total.currency}; exchange before booking {amount.currency}."
        raise CurrencyMismatch(detail)
    if amount.amount <= 0:
        raise Invalid.field("/amount", "A payment is more than nothing.", code="amount_not_positive")
    if amount.rounded() != amount:
        raise Invalid.field("/amount", "Money is paid in whole coins.", code="amount_not_in_coins")


def check_refund(order: Order, amount: Money) -> None:
    """Refuse to give back more than was kept."""
    check_amount(order, amount)
    if order.received < amount:
        raise Conflict("More would be given back than was received.", code="refund_too_large")


def check_same(known: Payment, *, order_id: UUID, kind: PaymentKind, amount: Money) -> None:
    """Refuse a known reference that now says something else; the same again is no error."""
    if (known.order_id, known.kind, known.amount) != (order_id, kind, amount):
        detail = f"The reference {known.reference} was booked before with another order or amount."
        raise Conflict(detail, code="reference_reused")
