"""Orders over HTTP."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from crm_sales_pipeline.catalogue.commands import Terms
from crm_sales_pipeline.catalogue.schemas import DiscountFields, LineFields
from crm_sales_pipeline.fields import Currency, Key, Moment, Name, Note, Quantity, Slug
from crm_sales_pipeline.identifiers import (
    CampaignId,
    CustomerId,
    DealId,
    MovementId,
    OrderId,
    PriceBookId,
    QuoteId,
    UserId,
)
from crm_sales_pipeline.orders.commands.handling import MoveGoods
from crm_sales_pipeline.orders.commands.placing import PlaceOrder
from crm_sales_pipeline.orders.domain import DeliveryState, Movement, Order, OrderLine, PaymentState
from crm_sales_pipeline.orders.store import MovementRow, OrderFilter
from crm_sales_pipeline.quotes.schemas import LineRead
from crm_shared.errors import Invalid
from crm_shared.fields import DecimalField, Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery


class OrderCreate(Strict):
    """An order without a quote, at a counter or on the web; totals are computed by the server."""

    customer_id: CustomerId
    lines: Annotated[list[LineFields], Field(min_length=1, max_length=500)]
    discount: DiscountFields = DiscountFields()
    price_book_id: PriceBookId | None = None
    currency: Currency | None = None
    channel: Slug | None = None
    outlet: Name | None = None
    deal_id: DealId | None = None
    campaign_id: CampaignId | None = None
    external_key: Key | None = Field(default=None, examples=["W-1042"])
    due_at: Moment | None = None

    def to_domain(self) -> PlaceOrder:
        """What the command takes."""
        return PlaceOrder(
            customer_id=self.customer_id,
            terms=Terms(
                price_book_id=self.price_book_id,
                currency=self.currency,
                channel=self.channel,
                discount=self.discount.to_domain(),
            ),
            lines=[line.to_domain() for line in self.lines],
            external_key=self.external_key,
            deal_id=self.deal_id,
            campaign_id=self.campaign_id,
            channel=self.channel,
            outlet=self.outlet,
            due_at=self.due_at,
        )


class MovedLine(Strict):
    """How much of a position moves."""

    position: Annotated[int, Field(ge=1, le=500)]
    quantity: Quantity


class OrderDeliver(Strict):
    """What goes out; left out, all that hasn't yet."""

    lines: Annotated[list[MovedLine], Field(min_length=1, max_length=500)] | None = Field(
        default=None, examples=[[{"position": 1, "quantity": "1"}]]
    )

    def to_domain(self) -> MoveGoods:
        """What the command takes."""
        return MoveGoods(quantities=_by_position(self.lines))


class OrderReturn(Strict):
    """What comes back, and why; left out, all that went out."""

    reason: Note = Field(examples=["Seal torn"])
    lines: Annotated[list[MovedLine], Field(min_length=1, max_length=500)] | None = None

    def to_domain(self) -> MoveGoods:
        """What the command takes."""
        return MoveGoods(quantities=_by_position(self.lines), reason=self.reason)


class OrderQuery(PageQuery):
    """Which orders to list."""

    customer_id: CustomerId | None = None
    deal_id: DealId | None = None
    campaign_id: CampaignId | None = None
    payment_state: PaymentState | None = None
    overdue: bool | None = None

    def to_filter(self) -> OrderFilter:
        """What the store takes."""
        return OrderFilter(
            customer_id=self.customer_id,
            deal_id=self.deal_id,
            campaign_id=self.campaign_id,
            payment_state=self.payment_state,
            overdue=self.overdue,
        )


class OrderLineRead(LineRead):
    """One ordered line with how much of it went out and came back."""

    delivered: DecimalField
    returned: DecimalField

    @classmethod
    def of_order(cls, one: OrderLine, currency: str) -> "OrderLineRead":
        """The line as clients see it."""
        line = LineRead.of(one.line, currency)
        return cls(
            **{name: getattr(line, name) for name in LineRead.model_fields},
            delivered=one.delivered,
            returned=one.returned,
        )


class OrderRead(Read):
    """One order; payment and delivery are separate axes."""

    id: OrderId
    number: str = Field(examples=["O-2026-00042"])
    customer_id: CustomerId
    deal_id: DealId | None
    quote_id: QuoteId | None
    campaign_id: CampaignId | None
    owner_id: UserId | None
    partner: str | None = Field(examples=[None])
    channel: str | None = Field(examples=["web"])
    outlet: str | None = Field(examples=[None])
    lines: list[OrderLineRead]
    listed: MoneyField
    discount: MoneyField
    net: MoneyField
    tax: MoneyField
    total: MoneyField
    received: MoneyField
    outstanding: MoneyField
    credit: MoneyField
    payment_state: Annotated[str, extensible(PaymentState)]
    delivery_state: Annotated[str, extensible(DeliveryState)]
    placed_at: Instant
    due_at: Instant
    paid_at: Instant | None
    overdue_at: Instant | None
    delivered_at: Instant | None
    version: int

    @classmethod
    def of(cls, order: Order) -> "OrderRead":
        """The order as clients see it."""
        totals = order.totals
        elsewhere = {"lines", "listed", "discount", "net", "tax", "total", "received"}
        return cls(
            **{name: getattr(order, name) for name in cls.model_fields if name not in elsewhere},
            lines=[OrderLineRead.of_order(one, totals.total.currency) for one in order.lines],
            listed=totals.listed,
            discount=totals.discount,
            net=totals.net,
            tax=totals.tax,
            total=totals.total,
            received=order.received.rounded(),
        )


class OrderPage(Page):
    """One page of orders."""

    items: list[OrderRead]


class MovedRead(Read):
    """How much of a position moved."""

    position: int
    quantity: DecimalField


class MovementRead(Read):
    """Goods that went out or came back."""

    id: MovementId
    kind: Annotated[str, extensible(Movement)]
    lines: list[MovedRead]
    reason: str | None = Field(examples=[None])
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    at: Instant


class Movements(Read):
    """All goods of an order that moved, oldest first."""

    items: list[MovementRead]

    @classmethod
    def of(cls, rows: list[MovementRow]) -> "Movements":
        """The movements as clients see them."""
        return cls(
            items=[
                MovementRead(
                    id=row.id,
                    kind=row.kind,
                    lines=[MovedRead(position=key, quantity=value) for key, value in row.quantities.items()],
                    reason=row.reason,
                    actor=row.actor,
                    at=row.at,
                )
                for row in rows
            ]
        )


def _by_position(lines: list[MovedLine] | None) -> dict[int, Decimal] | None:
    if lines is None:
        return None
    chosen = {line.position: line.quantity for line in lines}
    if len(chosen) != len(lines):
        raise Invalid.field("/lines", "Each position is named once.", code="position_repeated")
    return chosen
