"""Products and the price books that price them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from crm_sales_pipeline.catalogue.domain.pricing import PriceRules
from crm_shared.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True)
class Product:
    """Something sold under one SKU. `tax_rate` is a fraction (0.19)."""

    id: UUID
    sku: str
    name: str
    category: str | None
    unit: str
    tax_rate: Decimal
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices in one currency for a time, with the terms of documents priced by it.

    `approval_discount_percent` and `approval_total` are thresholds above which a quote needs a second pair of eyes;
    None means never.
    """

    id: UUID
    name: str
    rules: PriceRules
    valid_from: date
    valid_to: date | None
    channel: str | None
    approval_discount_percent: Decimal | None
    approval_total: Decimal | None
    active: bool
    version: int

    @property
    def currency(self) -> str:
        return self.rules.currency

    def valid_on(self, day: date) -> bool:
        """Whether documents of that day may be priced with it; both ends belong to the validity."""
        return self.active and self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs from `min_quantity` units on, in a price book, from one day to another (both included)."""

    product_id: UUID
    unit_price: Decimal
    min_quantity: Decimal
    valid_from: date
    valid_to: date | None


def choose_book(books: Sequence[PriceBook], *, day: date, currency: str | None, channel: str | None) -> PriceBook:
    """The price book for a document that names none: valid, most specific channel first, then the newest.

    Raises:
        Conflict: none is valid, or several currencies are possible and none was asked for.
    """
    fitting = [
        book
        for book in books
        if book.valid_on(day) and currency in (None, book.currency) and book.channel in (None, channel)
    ]
    if not fitting:
        raise Conflict("No price book is valid for this document; name one or create one.", code="no_price_book")
    if len({book.currency for book in fitting}) > 1:
        raise Conflict("Price books of several currencies are valid; say which currency.", code="currency_ambiguous")
    return max(fitting, key=lambda book: (book.channel is not None, book.valid_from, book.id))


def choose_price(prices: Sequence[Price], *, quantity: Decimal, day: date) -> Price | None:
    """The price for that many units on that day: the largest quantity step reached, then the newest."""
    fitting = [
        price
        for price in prices
        if price.min_quantity <= quantity
        and price.valid_from <= day
        and (price.valid_to is None or day <= price.valid_to)
    ]
    return max(fitting, key=lambda price: (price.min_quantity, price.valid_from), default=None)


def check_validity(valid_from: date, valid_to: date | None) -> None:
    """Refuse a validity that ends before it begins."""
    if valid_to is not None and valid_to < valid_from:
        raise Invalid.field("/valid_to", "A validity cannot end before it begins.", code="validity_reversed")
