"""Products and price books over HTTP, and the lines that documents ask for."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from crm_sales_pipeline.catalogue.commands import AskedLine
from crm_sales_pipeline.catalogue.domain.pricing import Discount, PriceRules, TaxRounding
from crm_sales_pipeline.catalogue.domain.products import Price, PriceBook, Product
from crm_sales_pipeline.fields import Amount, Currency, Key, Name, Percent, Quantity, Rate, Slug
from crm_sales_pipeline.identifiers import PriceBookId, ProductId
from crm_shared.fields import Day, DecimalField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery
from crm_shared.ids import new_id
from crm_shared.money import Rounding


class ProductCreate(Strict):
    """Something to sell. `tax_rate` is a fraction: 0.19."""

    sku: Key = Field(examples=["P-200"])
    name: Name = Field(examples=["Water pump P-200"])
    category: Slug | None = None
    unit: Slug = "piece"
    tax_rate: Rate

    def to_domain(self) -> Product:
        """What the command takes."""
        return Product(
            id=new_id(),
            sku=self.sku,
            name=self.name,
            category=self.category,
            unit=self.unit,
            tax_rate=self.tax_rate,
            active=True,
            version=1,
        )


class ProductUpdate(Strict):
    """What may change of a product."""

    name: Name = Field(default="", examples=["Water pump P-200, sealed"])
    category: Slug | None = None
    unit: Slug = "piece"
    tax_rate: Rate = Decimal(0)
    active: bool = True

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class ProductRead(Read):
    """One product."""

    id: ProductId
    sku: str = Field(examples=["P-200"])
    name: str = Field(examples=["Water pump P-200"])
    category: str | None = Field(examples=["pumps"])
    unit: str = Field(examples=["piece"])
    tax_rate: DecimalField = Field(examples=["0.19"])
    active: bool = Field(examples=[True])
    version: int

    @classmethod
    def of(cls, product: Product) -> "ProductRead":
        """The product as clients see it."""
        return cls(**{name: getattr(product, name) for name in cls.model_fields})


class ProductPage(Page):
    """One page of products."""

    items: list[ProductRead]


class ProductQuery(PageQuery):
    """Which products to list."""

    sku: Key | None = None
    category: Slug | None = None
    active: bool | None = None


class PriceBookCreate(Strict):
    """Prices in one currency, with the terms of all documents priced by it."""

    name: Name = Field(examples=["Retail 2026"])
    currency: Currency = Field(examples=["EUR"])
    prices_include_tax: bool = False
    rounding: Rounding
    tax_rounding: TaxRounding
    valid_from: Day
    valid_to: Day | None = None
    channel: Slug | None = None
    approval_discount_percent: Percent | None = None
    approval_total: Amount | None = None

    def to_domain(self) -> PriceBook:
        """What the command takes."""
        return PriceBook(
            id=new_id(),
            name=self.name,
            rules=PriceRules(
                currency=self.currency,
                prices_include_tax=self.prices_include_tax,
                rounding=self.rounding,
                tax_rounding=self.tax_rounding,
            ),
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            channel=self.channel,
            approval_discount_percent=self.approval_discount_percent,
            approval_total=self.approval_total,
            active=True,
            version=1,
        )


class PriceBookUpdate(Strict):
    """What may change of a price book."""

    name: Name = Field(default="", examples=["Retail 2026/27"])
    valid_from: Day = date.min
    valid_to: Day | None = None
    approval_discount_percent: Percent | None = None
    approval_total: Amount | None = None
    active: bool = True

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class PriceBookRead(Read):
    """One price book."""

    id: PriceBookId
    name: str = Field(examples=["Retail 2026"])
    currency: str = Field(examples=["EUR"])
    prices_include_tax: bool
    rounding: Annotated[str, extensible(Rounding)]
    tax_rounding: Annotated[str, extensible(TaxRounding)]
    valid_from: date
    valid_to: date | None
    channel: str | None = Field(examples=[None])
    approval_discount_percent: DecimalField | None
    approval_total: DecimalField | None
    active: bool = Field(examples=[True])
    version: int

    @classmethod
    def of(cls, book: PriceBook) -> "PriceBookRead":
        """The price book as clients see it."""
        return cls(
            id=book.id,
            name=book.name,
            currency=book.currency,
            prices_include_tax=book.rules.prices_include_tax,
            rounding=book.rules.rounding,
            tax_rounding=book.rules.tax_rounding,
            valid_from=book.valid_from,
            valid_to=book.valid_to,
            channel=book.channel,
            approval_discount_percent=book.approval_discount_percent,
            approval_total=book.approval_total,
            active=book.active,
            version=book.version,
        )


class PriceBookPage(Page):
    """One page of price books."""

    items: list[PriceBookRead]


class PriceBookQuery(PageQuery):
    """Which price books to list: all."""


class PriceFields(Strict):
    """One product's price from `min_quantity` units on, between two days (both included)."""

    product_id: ProductId
    unit_price: Amount
    min_quantity: Amount = Decimal(0)
    valid_from: Day
    valid_to: Day | None = None

    def to_domain(self) -> Price:
        """What the command takes."""
        return Price(
            product_id=self.product_id,
            unit_price=self.unit_price,
            min_quantity=self.min_quantity,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )


class PriceList(Strict):
    """Prices to put into a book: all of them, or none."""

    prices: Annotated[list[PriceFields], Field(min_length=1, max_length=500)]


class PriceRead(Read):
    """One price."""

    product_id: ProductId
    unit_price: DecimalField
    min_quantity: DecimalField
    valid_from: date
    valid_to: date | None

    @classmethod
    def of(cls, price: Price) -> "PriceRead":
        """The price as clients see it."""
        return cls(**{name: getattr(price, name) for name in cls.model_fields})


class PricePage(Page):
    """One page of prices."""

    items: list[PriceRead]


class LineFields(Strict):
    """A line of a document. `unit_price` left out takes the price book's; totals are never the client's to say."""

    product_id: ProductId
    quantity: Quantity
    discount_percent: Percent = Decimal(0)
    unit_price: Amount | None = None

    def to_domain(self) -> AskedLine:
        """What pricing takes."""
        return AskedLine(
            product_id=self.product_id,
            quantity=self.quantity,
            discount_percent=self.discount_percent,
            unit_price=self.unit_price,
        )


class DiscountFields(Strict):
    """A discount on the whole document: a percentage, an amount in its currency, or both."""

    percent: Percent = Field(default=Decimal(0), examples=["5"])
    amount: Amount = Decimal(0)

    def to_domain(self) -> Discount:
        """What pricing takes."""
        return Discount(percent=self.percent, amount=self.amount)
