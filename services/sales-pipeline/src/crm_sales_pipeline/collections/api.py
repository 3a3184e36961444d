"""Routes of payments."""

from typing import Annotated, Any

from fastapi import Query, Response

from crm_sales_pipeline.collections import commands, store
from crm_sales_pipeline.collections.domain import Payment
from crm_sales_pipeline.collections.schemas import (
    PaymentCreate,
    PaymentPage,
    PaymentQuery,
    PaymentRead,
    RefundCreate,
)
from crm_sales_pipeline.identifiers import PaymentId
from crm_shared.db.pool import Tx
from crm_shared.http import Call, Router, needs
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/payments", tag="payments", about="Money received and given back.")

Reads = Annotated[Call, needs("payments:read")]
Writes = Annotated[Call, needs("payments:write")]


@router.post("", status_code=201, response_model=PaymentRead)
async def receive(body: PaymentCreate, call: Writes) -> Response:
    """Record a payment; the same reference again answers with the payment that is here."""
    return await call.write(commands.receive_payment, body.to_domain(), answer=PaymentRead.of)


@router.post("/refunds", response_model=PaymentRead)
async def refund(body: RefundCreate, call: Writes) -> Response:
    """Record a refund."""
    return await call.write(commands.refund_payment, body.to_domain(), answer=PaymentRead.of)


@router.get("", response_model=PaymentPage, name="list")
async def list_(call: Reads, filters: Annotated[PaymentQuery, Query()]) -> Response:
    """Payments, newest first."""

    def key(payment: Payment) -> tuple[Any, ...]:
        return payment.received_at, payment.id

    return await call.page(_page, filters, answer=PaymentRead.of, key=key)


@router.get("/{payment_id}", response_model=PaymentRead)
async def get(payment_id: PaymentId, call: Reads) -> Response:
    """One payment."""
    return await call.read(store.view, payment_id, answer=PaymentRead.of)


async def _page(
    tx: Tx, viewer: Viewer, filters: PaymentQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Payment]:
    return await store.list_payments(tx, viewer, filters.to_filter(), limit=limit, after=after)
