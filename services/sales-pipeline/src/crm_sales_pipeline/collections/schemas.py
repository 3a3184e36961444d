"""Payments over HTTP."""

from typing import Annotated

from pydantic import Field

from crm_sales_pipeline.collections.commands import BookMoney
from crm_sales_pipeline.collections.domain import Payment, PaymentKind
from crm_sales_pipeline.collections.store import PaymentFilter
from crm_sales_pipeline.fields import Key, Moment, Note, Slug
from crm_sales_pipeline.identifiers import CampaignId, CustomerId, OrderId, PaymentId
from crm_shared.fields import Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery


class PaymentCreate(Strict):
    """Money that came in. `reference` is the bank's or till's name for it; the same again is the same payment."""

    order_id: OrderId
    reference: Key = Field(examples=["BANK-2026-0142"])
    amount: MoneyField
    method: Slug | None = None
    received_at: Moment | None = None

    def to_domain(self) -> BookMoney:
        """What the command takes."""
        return BookMoney(
            order_id=self.order_id,
            reference=self.reference,
            amount=self.amount,
            method=self.method,
            at=self.received_at,
        )


class RefundCreate(Strict):
    """Money given back, and why."""

    order_id: OrderId
    reference: Key = Field(examples=["BANK-2026-0177"])
    amount: MoneyField
    reason: Note = Field(examples=["Seal torn"])
    method: Slug | None = None

    def to_domain(self) -> BookMoney:
        """What the command takes."""
        return BookMoney(
            order_id=self.order_id,
            reference=self.reference,
            amount=self.amount,
            method=self.method,
            reason=self.reason,
        )


class PaymentQuery(PageQuery):
    """Which payments to list."""

    order_id: OrderId | None = None
    campaign_id: CampaignId | None = None
    kind: PaymentKind | None = None

    def to_filter(self) -> PaymentFilter:
        """What the store takes."""
        return PaymentFilter(order_id=self.order_id, campaign_id=self.campaign_id, kind=self.kind)


class PaymentRead(Read):
    """One movement of money."""

    id: PaymentId
    order_id: OrderId
    customer_id: CustomerId
    campaign_id: CampaignId | None
    kind: Annotated[str, extensible(PaymentKind)]
    reference: str = Field(examples=["BANK-2026-0142"])
    method: str | None = Field(examples=["bank_transfer"])
    amount: MoneyField
    reason: str | None = Field(examples=[None])
    received_at: Instant
    version: int

    @classmethod
    def of(cls, payment: Payment) -> "PaymentRead":
        """The payment as clients see it."""
        return cls(**{name: getattr(payment, name) for name in cls.model_fields})


class PaymentPage(Page):
    """One page of payments."""

    items: list[PaymentRead]
