"""Reading and writing products, price books and prices."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.catalogue.domain.pricing import PriceRules, TaxRounding
from crm_sales_pipeline.catalogue.domain.products import Price, PriceBook, Product
from crm_sales_pipeline.catalogue.tables import price, price_book, product
from crm_sales_pipeline.lists.store import beyond
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of
from crm_shared.money import Rounding

_GET_PRODUCT = select(product).where(product.c.id == bindparam("id"))
_LOCK_PRODUCT = _GET_PRODUCT.with_for_update()
_GET_BOOK = select(price_book).where(price_book.c.id == bindparam("id"))
_LOCK_BOOK = _GET_BOOK.with_for_update()
_ACTIVE_BOOKS = select(price_book).where(price_book.c.active).order_by(price_book.c.id)
_price_insert = insert(price).values(
    tenant_id=bindparam("tenant_id"),
    price_book_id=bindparam("price_book_id"),
    product_id=bindparam("product_id"),
    min_quantity=bindparam("min_quantity"),
    valid_from=bindparam("valid_from"),
    valid_to=bindparam("valid_to"),
    unit_price=bindparam("unit_price"),
)
_SET_PRICE = _price_insert.on_conflict_do_update(
    index_elements=["tenant_id", "price_book_id", "product_id", "min_quantity", "valid_from"],
    set_={"valid_to": _price_insert.excluded.valid_to, "unit_price": _price_insert.excluded.unit_price},
)


async def insert_product(tx: Tx, made: Product, *, now: datetime) -> None:
    """Keep a new product."""
    await tx.run(insert(product).values(tenant_id=tx.tenant, created_at=now, **_product_values(made)))


async def update_product(tx: Tx, changed: Product) -> None:
    """Keep a changed product."""
    await tx.run(update(product).where(product.c.id == changed.id).values(**_product_values(changed)))


async def get_product(tx: Tx, product_id: UUID, *, lock: bool = False) -> Product | None:
    """One product."""
    row = await tx.one(_LOCK_PRODUCT if lock else _GET_PRODUCT, {"id": product_id})
    return _product(row) if row is not None else None


async def products_by_id(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Product]:
    """Those of the products that exist."""
    rows = await tx.all(select(product).where(any_of(product.c.id, ids)))
    return {row["id"]: _product(row) for row in rows}


async def list_products(
    tx: Tx, *, sku: str | None, category: str | None, active: bool | None, limit: int, after: tuple[Any, ...] | None
) -> list[Product]:
    """Products by SKU."""
    statement = select(product).order_by(product.c.sku, product.c.id).limit(limit)
    if sku is not None:
        statement = statement.where(product.c.sku == sku)
    if category is not None:
        statement = statement.where(product.c.category == category)
    if active is not None:
        statement = statement.where(product.c.active == active)
    if after is not None:
        statement = statement.where(beyond((product.c.sku, product.c.id), after))
    return [_product(row) for row in await tx.all(statement)]


async def insert_book(tx: Tx, made: PriceBook) -> None:
    """Keep a new price book."""
    await tx.run(insert(price_book).values(tenant_id=tx.tenant, **_book_values(made)))


async def update_book(tx: Tx, changed: PriceBook) -> None:
    """Keep a changed price book."""
    await tx.run(update(price_book).where(price_book.c.id == changed.id).values(**_book_values(changed)))


async def get_book(tx: Tx, book_id: UUID, *, lock: bool = False) -> PriceBook | None:
    """One price book."""
    row = await tx.one(_LOCK_BOOK if lock else _GET_BOOK, {"id": book_id})
    return _book(row) if row is not None else None


async def active_books(tx: Tx) -> list[PriceBook]:
    """All price books in use; a tenant has a handful."""
    return [_book(row) for row in await tx.all(_ACTIVE_BOOKS, {})]


async def list_books(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[PriceBook]:
    """Price books, newest id first."""
    statement = select(price_book).order_by(price_book.c.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(price_book.c.id < after[0])
    return [_book(row) for row in await tx.all(statement)]


async def set_prices(tx: Tx, book_id: UUID, prices: Sequence[Price]) -> None:
    """Keep prices; one for the same product, step and first day is replaced."""
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": tx.tenant,
            "price_book_id": book_id,
            "product_id": one.product_id,
            "min_quantity": one.min_quantity,
            "valid_from": one.valid_from,
            "valid_to": one.valid_to,
            "unit_price": one.unit_price,
        }
        for one in prices
    ]
    await tx.many(_SET_PRICE, rows)


async def prices_of(tx: Tx, book_id: UUID, product_ids: Sequence[UUID]) -> dict[UUID, list[Price]]:
    """The prices of some products in a book."""
    rows = await tx.all(select(price).where(price.c.price_book_id == book_id, any_of(price.c.product_id, product_ids)))
    found: dict[UUID, list[Price]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(_price(row))
    return found


async def list_prices(tx: Tx, book_id: UUID, *, limit: int, after: tuple[Any, ...] | None) -> list[Price]:
    """A book's prices by product, step and first day."""
    key = (price.c.product_id, price.c.min_quantity, price.c.valid_from)
    statement = select(price).where(price.c.price_book_id == book_id).order_by(*key).limit(limit)
    if after is not None:
        product_id, min_quantity, valid_from = after
        statement = statement.where(beyond(key, (product_id, min_quantity, date.fromisoformat(valid_from))))
    return [_price(row) for row in await tx.all(statement)]


def _product_values(one: Product) -> dict[str, Any]:
    return {
        "id": one.id,
        "sku": one.sku,
        "name": one.name,
        "category": one.category,
        "unit": one.unit,
        "tax_rate": one.tax_rate,
        "active": one.active,
        "version": one.version,
    }


def _product(row: Record) -> Product:
    return Product(
        id=row["id"],
        sku=row["sku"],
        name=row["name"],
        category=row["category"],
        unit=row["unit"],
        tax_rate=row["tax_rate"],
        active=row["active"],
        version=row["version"],
    )


def _book_values(one: PriceBook) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "currency": one.rules.currency,
        "prices_include_tax": one.rules.prices_include_tax,
        "rounding": one.rules.rounding.value,
        "tax_rounding": one.rules.tax_rounding.value,
        "valid_from": one.valid_from,
        "valid_to": one.valid_to,
        "channel": one.channel,
        "approval_discount_percent": one.approval_discount_percent,
        "approval_total": one.approval_total,
        "active": one.active,
        "version": one.version,
    }


def rules_of(row: Record) -> PriceRules:
    """The pricing terms kept with a price book or a document."""
    return PriceRules(
        currency=row["currency"],
        prices_include_tax=row["prices_include_tax"],
        rounding=Rounding(row["rounding"]),
        tax_rounding=TaxRounding(row["tax_rounding"]),
    )


def _book(row: Record) -> PriceBook:
    return PriceBook(
        id=row["id"],
        name=row["name"],
        rules=rules_of(row),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        channel=row["channel"],
        approval_discount_percent=row["approval_discount_percent"],
        approval_total=row["approval_total"],
        active=row["active"],
        version=row["version"],
    )


def _price(row: Record) -> Price:
    return Price(
        product_id=row["product_id"],
        unit_price=row["unit_price"],
        min_quantity=row["min_quantity"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )
