"""Orders: one axis for payment, one for delivery; neither waits for the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from crm_sales_pipeline.quotes.domain import Line, Totals
from crm_shared.errors import Conflict, Invalid
from crm_shared.money import Money

ZERO = Decimal(0)


class PaymentState(StrEnum):
    """How far an order is paid; derived from what was received and given back, never set."""

    UNPAID = "unpaid"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    OVERPAID = "overpaid"


class DeliveryState(StrEnum):
    """How far an order is delivered; derived from its lines."""

    PENDING = "pending"
    PARTLY_DELIVERED = "partly_delivered"
    DELIVERED = "delivered"
    PARTLY_RETURNED = "partly_returned"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A sold line with how much of it went out and came back."""

    line: Line
    delivered: Decimal = ZERO
    returned: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Order:
    """What was sold. `received` is the cash kept so far: receipts less refunds."""

    id: UUID
    number: str
    customer_id: UUID
    deal_id: UUID | None
    quote_id: UUID | None
    campaign_id: UUID | None
    owner_id: UUID | None
    partner: str | None
    channel: str | None
    outlet: str | None
    totals: Totals
    lines: tuple[OrderLine, ...]
    received: Money
    placed_at: datetime
    due_at: datetime
    paid_at: datetime | None
    overdue_at: datetime | None
    delivered_at: datetime | None
    version: int

    @property
    def payment_state(self) -> PaymentState:
        return payment_state(self.totals.total, self.received)

    @property
    def delivery_state(self) -> DeliveryState:
        return delivery_state(self.lines)

    @property
    def outstanding(self) -> Money:
        """What is still owed; nothing when overpaid."""
        rest = self.totals.total - self.received
        return rest if rest.amount > 0 else Money.zero(rest.currency).rounded()

    @property
    def credit(self) -> Money:
        """What was paid too much and belongs to the customer."""
        surplus = self.received - self.totals.total
        return surplus if surplus.amount > 0 else Money.zero(surplus.currency).rounded()


class Movement(StrEnum):
    """Goods going out or coming back."""

    DELIVERY = "delivery"
    RETURN = "return"


def payment_state(total: Money, received: Money) -> PaymentState:
    """Where payment stands; an order that costs nothing is paid from the start."""
    if received < total:
        return PaymentState.PARTLY_PAID if received.amount > 0 else PaymentState.UNPAID
    return PaymentState.OVERPAID if total < received else PaymentState.PAID


def delivery_state(lines: Sequence[OrderLine]) -> DeliveryState:
    """Where delivery stands. Something returned shows, whether or not all had been delivered."""
    ordered = sum((line.line.quantity for line in lines), ZERO)
    delivered = sum((line.delivered for line in lines), ZERO)
    returned = sum((line.returned for line in lines), ZERO)
    if returned:
        return DeliveryState.RETURNED if returned == ordered else DeliveryState.PARTLY_RETURNED
    if not delivered:
        return DeliveryState.PENDING
    return DeliveryState.DELIVERED if delivered == ordered else DeliveryState.PARTLY_DELIVERED


def quantities(order: Order, movement: Movement, asked: Mapping[int, Decimal] | None) -> dict[int, Decimal]:
    """How much of which position moves; None asks for all that still can.

    Raises:
        Invalid: a position isn't the order's, or more would move than there is.
        Conflict: nothing is left to move.
    """
    possible = {line.line.position: _possible(line, movement) for line in order.lines}
    if asked is None:
        chosen = {position: quantity for position, quantity in possible.items() if quantity > 0}
        if not chosen:
            raise Conflict(f"Nothing is left for a {movement} of this order.", code=f"nothing_to_{_VERB[movement]}")
        return chosen
    for index, (position, quantity) in enumerate(asked.items()):
        if position not in possible:
            raise Invalid.field(
                f"/lines/{index}/position", f"This order has no position {position}.", code="position_unknown"
            )
        if quantity > possible[position]:
            message = f"At most {possible[position]:f} of position {position} can still move."
            raise Invalid.field(f"/lines/{index}/quantity", message, code="quantity_too_large")
    return dict(asked)


_VERB = {Movement.DELIVERY: "deliver", Movement.RETURN: "return"}


def _possible(line: OrderLine, movement: Movement) -> Decimal:
    if movement is Movement.DELIVERY:
        return line.line.quantity - line.delivered
    return line.delivered - line.returned
