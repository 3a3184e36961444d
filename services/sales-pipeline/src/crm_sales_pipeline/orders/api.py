"""Routes of orders, and the one of quotes that makes an order."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_sales_pipeline.identifiers import OrderId, QuoteId
from crm_sales_pipeline.orders import store
from crm_sales_pipeline.orders.commands.handling import deliver_order, return_goods
from crm_sales_pipeline.orders.commands.placing import accept_quote, place_order
from crm_sales_pipeline.orders.domain import Order
from crm_sales_pipeline.orders.schemas import (
    Movements,
    OrderCreate,
    OrderDeliver,
    OrderPage,
    OrderQuery,
    OrderRead,
    OrderReturn,
)
from crm_sales_pipeline.orders.store import MovementRow
from crm_shared.db.pool import Tx
from crm_shared.http import Call, Router, needs
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/orders", tag="orders", about="What was sold: placed, delivered, returned.")
quotes_router = Router(prefix="/v1/quotes", tag="quotes")

Reads = Annotated[Call, needs("orders:read")]
Writes = Annotated[Call, needs("orders:write")]

ALL_THE_REST = OrderDeliver()


@router.post("", status_code=201, response_model=OrderRead)
async def place(body: OrderCreate, call: Writes) -> Response:
    """Place an order directly; the same `external_key` again answers with the order that is here."""
    return await call.write(place_order, body.to_domain(), answer=OrderRead.of)


@router.get("", response_model=OrderPage, name="list")
async def list_(call: Reads, filters: Annotated[OrderQuery, Query()]) -> Response:
    """Orders, newest first."""

    def key(order: Order) -> tuple[Any, ...]:
        return order.placed_at, order.id

    return await call.page(_page, filters, answer=OrderRead.of, key=key)


@router.get("/{order_id}", response_model=OrderRead)
async def get(order_id: OrderId, call: Reads) -> Response:
    """One order."""
    return await call.read(store.view, order_id, answer=OrderRead.of)


@router.post("/{order_id}/deliver", response_model=OrderRead)
async def deliver(order_id: OrderId, call: Writes, body: OrderDeliver = ALL_THE_REST) -> Response:
    """Record a delivery, of all goods or some."""
    return await call.write(deliver_order, order_id, body.to_domain(), expected=call.if_match(), answer=OrderRead.of)


@router.post("/{order_id}/return", response_model=OrderRead, name="return")
async def return_(order_id: OrderId, body: OrderReturn, call: Writes) -> Response:
    """Record a return, of all goods or some."""
    return await call.write(return_goods, order_id, body.to_domain(), expected=call.if_match(), answer=OrderRead.of)


@router.get("/{order_id}/movements", response_model=Movements)
async def movements(order_id: OrderId, call: Reads) -> Response:
    """What of an order went out and came back, and when."""
    return await call.read(_movements, order_id, answer=Movements.of)


@quotes_router.post("/{quote_id}/accept", response_model=OrderRead)
async def accept(quote_id: QuoteId, call: Annotated[Call, needs("quotes:write")]) -> Response:
    """Accept a quote for the customer. One order, however often it is said."""
    return await call.write(accept_quote, quote_id, answer=OrderRead.of)


async def _page(
    tx: Tx, viewer: Viewer, filters: OrderQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Order]:
    return await store.list_orders(tx, viewer, filters.to_filter(), limit=limit, after=after)


async def _movements(tx: Tx, viewer: Viewer, order_id: UUID) -> list[MovementRow] | None:
    return await store.movements(tx, order_id) if await store.view(tx, viewer, order_id) else None
