"""Quotes: numbered, versioned offers that never change once sent."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from crm_sales_pipeline.catalogue.domain.pricing import Discount, Priced, PriceRules
from crm_shared.errors import Conflict, Forbidden
from crm_shared.money import Money


class QuoteState(StrEnum):
    """Where one version of a quote stands."""

    DRAFT = "draft"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Approval(StrEnum):
    """Whether a second pair of eyes is needed, and has looked."""

    NOT_NEEDED = "not_needed"
    NEEDED = "needed"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Line:
    """One priced line of a quote or an order, with the name it had then. Amounts are in the document's currency."""

    position: int
    product_id: UUID | None
    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    discount_percent: Decimal
    listed: Decimal
    line_discount: Decimal
    document_discount: Decimal
    net: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class Totals:
    """What a document's lines sum to."""

    listed: Money
    discount: Money
    net: Money
    tax: Money
    total: Money

    @classmethod
    def of(cls, priced: Priced) -> "Totals":
        """The totals of a priced document."""

        def money(amount: Decimal) -> Money:
            return Money(amount, priced.currency).rounded()

        return cls(
            listed=money(priced.listed),
            discount=money(priced.discount),
            net=money(priced.net),
            tax=money(priced.tax),
            total=money(priced.total),
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """One version of a quote; all versions of it share `number`, and at most one of them is ever accepted."""

    id: UUID
    number: str
    revision: int
    state: QuoteState
    approval: Approval
    customer_id: UUID
    deal_id: UUID | None
    campaign_id: UUID | None
    owner_id: UUID | None
    partner: str | None
    price_book_id: UUID
    rules: PriceRules
    discount: Discount
    totals: Totals
    lines: tuple[Line, ...]
    valid_until: datetime
    created_by: str
    created_at: datetime
    approved_by: str | None
    sent_at: datetime | None
    decided_at: datetime | None
    reason: str | None
    order_id: UUID | None
    version: int


def approval_for(priced: Priced, *, discount_percent_limit: Decimal | None, total_limit: Decimal | None) -> Approval:
    """Whether the document passes a threshold of its price book; reaching it is still allowed, exceeding isn't."""
    too_generous = discount_percent_limit is not None and priced.discount_percent > discount_percent_limit
    too_large = total_limit is not None and priced.total > total_limit
    return Approval.NEEDED if too_generous or too_large else Approval.NOT_NEEDED


def check_editable(quote: Quote) -> None:
    """Refuse to change what a customer has seen."""
    if quote.state is not QuoteState.DRAFT:
        raise Conflict("A sent quote never changes; revise it to make a new version.", code="quote_immutable")


def check_approvable(quote: Quote, *, subject: str) -> None:
    """Refuse approval by the one who made the quote, or where there's nothing to approve."""
    check_editable(quote)
    if quote.approval is not Approval.NEEDED:
        raise Conflict("This quote needs no approval.", code="approval_not_needed")
    if quote.created_by == subject:
        raise Forbidden("Whoever made a quote cannot approve it.", code="approval_own_quote")


def check_sendable(quote: Quote, *, now: datetime) -> None:
    """Refuse to send an unapproved, empty or outdated quote."""
    check_editable(quote)
    if quote.approval is Approval.NEEDED:
        raise Conflict("This quote exceeds what may be sent without approval.", code="approval_required")
    if quote.valid_until <= now:
        raise Conflict("This quote would expire before it arrives; set a later valid_until.", code="quote_expired")


def check_acceptable(quote: Quote, *, now: datetime) -> None:
    """Refuse to accept a version that isn't on the table (any more); the clock counts even if the timer is late."""
    if quote.state is QuoteState.SENT and quote.valid_until <= now:
        raise Conflict("This quote has expired; revise it.", code="quote_expired")
    if quote.state is not QuoteState.SENT:
        raise Conflict(f"This quote is {quote.state}; only a sent one can be accepted.", code=f"quote_{quote.state}")


def check_rejectable(quote: Quote) -> None:
    """Refuse to lose a quote that already has an order."""
    if quote.order_id is not None:
        raise Conflict("This quote has an order; it cannot be lost.", code="quote_has_order")
    if quote.state not in (QuoteState.SENT, QuoteState.DRAFT, QuoteState.EXPIRED):
        raise Conflict(f"This quote is {quote.state}.", code=f"quote_{quote.state}")
