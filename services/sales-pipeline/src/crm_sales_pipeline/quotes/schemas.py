"""Quotes over HTTP."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from crm_sales_pipeline.catalogue.commands import Terms
from crm_sales_pipeline.catalogue.domain.pricing import TaxRounding
from crm_sales_pipeline.catalogue.schemas import DiscountFields, LineFields
from crm_sales_pipeline.fields import Currency, Key, Moment, Note, Slug
from crm_sales_pipeline.identifiers import (
    CampaignId,
    CustomerId,
    DealId,
    OrderId,
    PriceBookId,
    ProductId,
    QuoteId,
    UserId,
)
from crm_sales_pipeline.quotes.commands import DraftQuote
from crm_sales_pipeline.quotes.domain import Approval, Line, Quote, QuoteState
from crm_sales_pipeline.quotes.store import QuoteFilter
from crm_shared.fields import DecimalField, Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery
from crm_shared.money import Money, Rounding


class QuoteUpdate(Strict):
    """What a quote says. Amounts are computed by the server; a client's totals would be refused as unknown fields."""

    lines: Annotated[list[LineFields], Field(min_length=1, max_length=500)]
    discount: DiscountFields = DiscountFields()
    price_book_id: PriceBookId | None = None
    currency: Currency | None = None
    channel: Slug | None = None
    valid_until: Moment | None = None

    def terms(self) -> Terms:
        """How it is priced."""
        return Terms(
            price_book_id=self.price_book_id,
            currency=self.currency,
            channel=self.channel,
            discount=self.discount.to_domain(),
        )

    def to_domain(self) -> DraftQuote:
        """What the command takes."""
        return DraftQuote(
            customer_id=None,
            deal_id=None,
            terms=self.terms(),
            lines=[line.to_domain() for line in self.lines],
            valid_until=self.valid_until,
        )


class QuoteCreate(QuoteUpdate):
    """A quote for a customer, or for a deal and its customer."""

    customer_id: CustomerId | None = Field(default=None, examples=["cus_064gkndciprknf6emc10j6k0as"])
    deal_id: DealId | None = None

    def to_domain(self) -> DraftQuote:
        """What the command takes."""
        return DraftQuote(
            customer_id=self.customer_id,
            deal_id=self.deal_id,
            terms=self.terms(),
            lines=[line.to_domain() for line in self.lines],
            valid_until=self.valid_until,
        )


class QuoteReject(Strict):
    """Why it is lost."""

    reason: Note = Field(examples=["Too dear"])


class QuoteQuery(PageQuery):
    """Which quotes to list."""

    state: QuoteState | None = None
    deal_id: DealId | None = None
    customer_id: CustomerId | None = None
    number: Key | None = None

    def to_filter(self) -> QuoteFilter:
        """What the store takes."""
        return QuoteFilter(state=self.state, deal_id=self.deal_id, customer_id=self.customer_id, number=self.number)


class LineRead(Read):
    """One priced line: listed − line_discount − document_discount is its net (or, with tax included, its total)."""

    position: int
    product_id: ProductId | None
    sku: str = Field(examples=["P-200"])
    name: str = Field(examples=["Water pump P-200"])
    quantity: DecimalField
    unit_price: DecimalField
    tax_rate: DecimalField
    discount_percent: DecimalField
    listed: MoneyField
    line_discount: MoneyField
    document_discount: MoneyField
    net: MoneyField
    tax: MoneyField
    total: MoneyField

    @classmethod
    def of(cls, line: Line, currency: str) -> "LineRead":
        """The line as clients see it."""

        def money(amount: Decimal) -> Money:
            return Money(amount, currency).rounded()

        return cls(
            position=line.position,
            product_id=line.product_id,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            tax_rate=line.tax_rate,
            discount_percent=line.discount_percent,
            listed=money(line.listed),
            line_discount=money(line.line_discount),
            document_discount=money(line.document_discount),
            net=money(line.net),
            tax=money(line.tax),
            total=money(line.total),
        )


class QuoteRead(Read):
    """One version of a quote."""

    id: QuoteId
    number: str = Field(examples=["Q-2026-00042"])
    revision: int
    state: Annotated[str, extensible(QuoteState)]
    approval: Annotated[str, extensible(Approval)]
    customer_id: CustomerId
    deal_id: DealId | None
    campaign_id: CampaignId | None
    owner_id: UserId | None
    partner: str | None = Field(examples=[None])
    price_book_id: PriceBookId
    currency: str = Field(examples=["EUR"])
    prices_include_tax: bool
    rounding: Annotated[str, extensible(Rounding)]
    tax_rounding: Annotated[str, extensible(TaxRounding)]
    lines: list[LineRead]
    listed: MoneyField
    discount: MoneyField
    net: MoneyField
    tax: MoneyField
    total: MoneyField
    valid_until: Instant
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    created_at: Instant
    approved_by: str | None = Field(examples=[None])
    sent_at: Instant | None
    decided_at: Instant | None
    reason: str | None = Field(examples=[None])
    order_id: OrderId | None
    version: int

    @classmethod
    def of(cls, quote: Quote) -> "QuoteRead":
        """The quote as clients see it."""
        rules, totals = quote.rules, quote.totals
        elsewhere = {"lines", "listed", "discount", "net", "tax", "total"} | {
            "currency",
            "prices_include_tax",
            "rounding",
            "tax_rounding",
        }
        return cls(
            **{name: getattr(quote, name) for name in cls.model_fields if name not in elsewhere},
            currency=rules.currency,
            prices_include_tax=rules.prices_include_tax,
            rounding=rules.rounding,
            tax_rounding=rules.tax_rounding,
            lines=[LineRead.of(line, rules.currency) for line in quote.lines],
            listed=totals.listed,
            discount=totals.discount,
            net=totals.net,
            tax=totals.tax,
            total=totals.total,
        )


class QuotePage(Page):
    """One page of quotes."""

    items: list[QuoteRead]
