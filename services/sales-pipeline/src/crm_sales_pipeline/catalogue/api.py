"""Routes of products and price books."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_sales_pipeline.catalogue import commands, store
from crm_sales_pipeline.catalogue.domain.products import Price, PriceBook, Product
from crm_sales_pipeline.catalogue.schemas import (
    PriceBookCreate,
    PriceBookPage,
    PriceBookQuery,
    PriceBookRead,
    PriceBookUpdate,
    PriceList,
    PricePage,
    PriceRead,
    ProductCreate,
    ProductPage,
    ProductQuery,
    ProductRead,
    ProductUpdate,
)
from crm_sales_pipeline.identifiers import PriceBookId, ProductId
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.http import Call, PageQuery, Router, needs
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

products = Router(prefix="/v1/products", tag="products", about="What can be sold.")
price_books = Router(prefix="/v1/price-books", tag="price-books", about="Prices by currency, quantity and time.")

Reads = Annotated[Call, needs("products:read")]
WritesProducts = Annotated[Call, needs("products:write")]
WritesBooks = Annotated[Call, needs("price-books:write")]


@products.post("", status_code=201, response_model=ProductRead)
async def create(body: ProductCreate, call: WritesProducts) -> Response:
    """Add a product."""
    return await call.write(commands.add_product, body.to_domain(), answer=ProductRead.of)


@products.get("", response_model=ProductPage, name="list")
async def list_(call: Reads, filters: Annotated[ProductQuery, Query()]) -> Response:
    """Products by SKU."""

    def key(product: Product) -> tuple[Any, ...]:
        return product.sku, product.id

    return await call.page(_products, filters, answer=ProductRead.of, key=key)


@products.get("/{product_id}", response_model=ProductRead)
async def get(product_id: ProductId, call: Reads) -> Response:
    """One product."""
    return await call.read(_product, product_id, answer=ProductRead.of)


@products.patch("/{product_id}", response_model=ProductRead)
async def update(product_id: ProductId, body: ProductUpdate, call: WritesProducts) -> Response:
    """Change a product, or (`active`) take it off sale."""
    return await call.write(
        commands.change_product, product_id, body.changes(), expected=call.if_match(), answer=ProductRead.of
    )


@price_books.post("", status_code=201, response_model=PriceBookRead, name="create")
async def create_book(body: PriceBookCreate, call: WritesBooks) -> Response:
    """Add a price book; how it rounds is said, not assumed."""
    return await call.write(commands.add_book, body.to_domain(), answer=PriceBookRead.of)


@price_books.get("", response_model=PriceBookPage, name="list")
async def list_books(call: Reads, filters: Annotated[PriceBookQuery, Query()]) -> Response:
    """Price books, newest first."""

    def key(book: PriceBook) -> tuple[Any, ...]:
        return (book.id,)

    return await call.page(_books, filters, answer=PriceBookRead.of, key=key)


@price_books.get("/{book_id}", response_model=PriceBookRead, name="get")
async def get_book(book_id: PriceBookId, call: Reads) -> Response:
    """One price book."""
    return await call.read(_book, book_id, answer=PriceBookRead.of)


@price_books.patch("/{book_id}", response_model=PriceBookRead, name="update")
async def update_book(book_id: PriceBookId, body: PriceBookUpdate, call: WritesBooks) -> Response:
    """Change a price book's name, validity or thresholds."""
    return await call.write(
        commands.change_book, book_id, body.changes(), expected=call.if_match(), answer=PriceBookRead.of
    )


@price_books.put("/{book_id}/prices", response_model=PriceBookRead)
async def set_prices(book_id: PriceBookId, body: PriceList, call: WritesBooks) -> Response:
    """Put prices into a book; one for the same product, step and first day is replaced."""
    prices = [one.to_domain() for one in body.prices]
    return await call.write(commands.set_prices, book_id, prices, answer=PriceBookRead.of)


@price_books.get("/{book_id}/prices", response_model=PricePage)
async def list_prices(book_id: PriceBookId, call: Reads, filters: Annotated[PriceBookQuery, Query()]) -> Response:
    """A book's prices."""

    def key(price: Price) -> tuple[Any, ...]:
        return price.product_id, price.min_quantity, price.valid_from.isoformat()

    return await call.page(_prices, filters, book_id, answer=PriceRead.of, key=key)


async def _products(
    tx: Tx, viewer: Viewer, filters: ProductQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Product]:
    del viewer
    return await store.list_products(
        tx, sku=filters.sku, category=filters.category, active=filters.active, limit=limit, after=after
    )


async def _product(tx: Tx, viewer: Viewer, product_id: UUID) -> Product | None:
    del viewer
    return await store.get_product(tx, product_id)


async def _books(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[PriceBook]:
    del viewer, filters
    return await store.list_books(tx, limit=limit, after=after)


async def _book(tx: Tx, viewer: Viewer, book_id: UUID) -> PriceBook | None:
    del viewer
    return await store.get_book(tx, book_id)


async def _prices(
    tx: Tx, viewer: Viewer, filters: PageQuery, book_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Price]:
    del viewer, filters
    if await store.get_book(tx, book_id) is None:
        raise NotFound.of("price book", public_id("pbk", book_id))
    return await store.list_prices(tx, book_id, limit=limit, after=after)
