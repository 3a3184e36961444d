"""Keeping products and price books, and pricing a document's lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from crm_sales_pipeline.catalogue import store
from crm_sales_pipeline.catalogue.domain.pricing import Discount, Priced, PriceInput, price
from crm_sales_pipeline.catalogue.domain.products import (
    Price,
    PriceBook,
    Product,
    check_validity,
    choose_book,
    choose_price,
)
from crm_sales_pipeline.catalogue.events import ProductPublished
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, FieldError, Invalid, NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class AskedLine:
    """What is wanted of a product; `unit_price` None takes the price book's."""

    product_id: UUID
    quantity: Decimal
    discount_percent: Decimal
    unit_price: Decimal | None


@dataclass(frozen=True, slots=True)
class PricedDocument:
    """A priced list of lines with the products and the price book they were priced by."""

    book: PriceBook
    products: tuple[Product, ...]
    inputs: tuple[PriceInput, ...]
    priced: Priced


@dataclass(frozen=True, slots=True)
class Terms:
    """What a document says about its pricing: a price book, or a currency and channel to choose one by."""

    price_book_id: UUID | None
    currency: str | None
    channel: str | None
    discount: Discount


async def add_product(tx: Tx, viewer: Viewer, made: Product, *, now: datetime) -> Product:
    """Have a product; its SKU is unique."""
    del viewer
    await store.insert_product(tx, made, now=now)
    _publish(tx, made)
    return made


async def change_product(
    tx: Tx, viewer: Viewer, product_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Product:
    """Change a product; documents made before keep what they say."""
    del viewer, now
    found = await store.get_product(tx, product_id, lock=True)
    if found is None:
        raise NotFound.of("product", public_id("prod", product_id))
    expect_version(found.version, expected)
    changed = replace(found, **changes, version=found.version + 1)
    await store.update_product(tx, changed)
    _publish(tx, changed)
    return changed


async def add_book(tx: Tx, viewer: Viewer, made: PriceBook, *, now: datetime) -> PriceBook:
    """Have a price book."""
    del viewer, now
    check_validity(made.valid_from, made.valid_to)
    await store.insert_book(tx, made)
    return made


async def change_book(
    tx: Tx, viewer: Viewer, book_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> PriceBook:
    """Change a price book's name, validity or thresholds; how it rounds stays, since quotes were made by it."""
    del viewer, now
    found = await lock_book(tx, book_id)
    expect_version(found.version, expected)
    changed = replace(found, **changes, version=found.version + 1)
    check_validity(changed.valid_from, changed.valid_to)
    await store.update_book(tx, changed)
    return changed


async def set_prices(tx: Tx, viewer: Viewer, book_id: UUID, prices: Sequence[Price], *, now: datetime) -> PriceBook:
    """Put prices into a book.

    Raises:
        Invalid: a product isn't known, or a validity ends before it begins; none of the prices is kept.
    """
    del viewer, now
    book = await lock_book(tx, book_id)
    known = await store.products_by_id(tx, [one.product_id for one in prices])
    faults = [
        FieldError(f"/prices/{index}/product_id", "product_unknown", "There is no such product.")
        for index, one in enumerate(prices)
        if one.product_id not in known
    ] + [
        FieldError(f"/prices/{index}/valid_to", "validity_reversed", "A validity cannot end before it begins.")
        for index, one in enumerate(prices)
        if one.valid_to is not None and one.valid_to < one.valid_from
    ]
    if faults:
        raise Invalid("Some prices cannot be kept.", code="prices_invalid", errors=faults)
    changed = replace(book, version=book.version + 1)
    await store.set_prices(tx, book_id, prices)
    await store.update_book(tx, changed)
    return changed


async def price_lines(tx: Tx, lines: Sequence[AskedLine], terms: Terms, *, now: datetime) -> PricedDocument:
    """What the lines cost today; every amount is computed here, whatever the client believes.

    Raises:
        Invalid: a product isn't known or for sale, or has no price in the book.
        Conflict: no price book is valid.
    """
    book = await _book_for(tx, terms, now=now)
    ids = [line.product_id for line in lines]
    products = await store.products_by_id(tx, ids)
    prices = await store.prices_of(tx, book.id, ids)
    faults: list[FieldError] = []
    inputs: list[PriceInput] = []
    for index, line in enumerate(lines):
        product = products.get(line.product_id)
        listed = choose_price(prices.get(line.product_id, ()), quantity=line.quantity, day=now.date())
        unit_price = line.unit_price if line.unit_price is not None else (listed.unit_price if listed else None)
        if product is None or not product.active:
            faults.append(FieldError(f"/lines/{index}/product_id", "product_unknown", "No such product is for sale."))
        elif unit_price is None:
            message = f"{product.sku} has no price in {book.name} today."
            faults.append(FieldError(f"/lines/{index}/product_id", "price_missing", message))
        else:
            inputs.append(PriceInput(line.quantity, unit_price, product.tax_rate, line.discount_percent))
    if faults:
        raise Invalid("Some lines cannot be priced.", code="lines_invalid", errors=faults)
    return PricedDocument(
        book=book,
        products=tuple(products[line.product_id] for line in lines),
        inputs=tuple(inputs),
        priced=price(inputs, book.rules, discount=terms.discount),
    )


async def lock_book(tx: Tx, book_id: UUID) -> PriceBook:
    """The price book, ours to change until the transaction ends."""
    found = await store.get_book(tx, book_id, lock=True)
    if found is None:
        raise NotFound.of("price book", public_id("pbk", book_id))
    return found


async def _book_for(tx: Tx, terms: Terms, *, now: datetime) -> PriceBook:
    if terms.price_book_id is None:
        books = await store.active_books(tx)
        return choose_book(books, day=now.date(), currency=terms.currency, channel=terms.channel)
    named = await store.get_book(tx, terms.price_book_id)
    if named is None:
        raise NotFound.of("price book", public_id("pbk", terms.price_book_id))
    if not named.valid_on(now.date()):
        raise Conflict("This price book isn't valid today.", code="price_book_invalid")
    if terms.currency not in (None, named.currency):
        raise Invalid.field("/currency", f"The price book is in {named.currency}.", code="currency_mismatch")
    return named


def _publish(tx: Tx, product: Product) -> None:
    tx.emit(
        ProductPublished(
            sku=product.sku,
            name=product.name,
            category=product.category,
            unit=product.unit,
            active=product.active,
        ),
        aggregate_id=product.id,
    )
