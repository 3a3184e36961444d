"""Reading and writing receipts and refunds."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.collections.domain import Payment, PaymentKind
from crm_sales_pipeline.collections.tables import payment
from crm_sales_pipeline.customers.store import with_present_customer
from crm_sales_pipeline.lists.store import beyond, visible
from crm_sales_pipeline.orders.tables import sales_order
from crm_shared.db.pool import Record, Tx
from crm_shared.money import Money
from crm_shared.tenancy import Viewer

_FROM, _CUSTOMER = with_present_customer(payment)
_PAYMENT = select(*(column for column in payment.c if column.name != "customer_id"), _CUSTOMER).select_from(
    _FROM.join(
        sales_order,
        and_(sales_order.c.tenant_id == payment.c.tenant_id, sales_order.c.id == payment.c.order_id),
    )
)
_BY_REFERENCE = _PAYMENT.where(payment.c.reference == bindparam("reference"))


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments a list shows; None doesn't narrow."""

    order_id: UUID | None = None
    campaign_id: UUID | None = None
    kind: PaymentKind | None = None


async def insert_new(tx: Tx, made: Payment) -> bool:
    """Keep a payment; False when its reference is booked already."""
    statement = (
        insert(payment)
        .values(
            tenant_id=tx.tenant,
            id=made.id,
            order_id=made.order_id,
            customer_id=made.customer_id,
            campaign_id=made.campaign_id,
            kind=made.kind.value,
            reference=made.reference,
            method=made.method,
            amount=made.amount.amount,
            currency=made.amount.currency,
            reason=made.reason,
            received_at=made.received_at,
            version=made.version,
        )
        .on_conflict_do_nothing(index_elements=[payment.c.tenant_id, payment.c.reference])
    )
    return await tx.run(statement) == 1


async def find_by_reference(tx: Tx, reference: str) -> Payment | None:
    """The payment that a bank or till calls this."""
    row = await tx.one(_BY_REFERENCE, {"reference": reference})
    return _payment(row) if row is not None else None


async def view(tx: Tx, viewer: Viewer, payment_id: UUID) -> Payment | None:
    """One payment, if the viewer may see its order."""
    row = await tx.one(_PAYMENT.where(payment.c.id == payment_id, *visible(sales_order, viewer)))
    return _payment(row) if row is not None else None


async def list_payments(
    tx: Tx, viewer: Viewer, filters: PaymentFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Payment]:
    """Payments of orders that the viewer may see, newest first."""
    key = (payment.c.received_at, payment.c.id)
    statement = _PAYMENT.where(*visible(sales_order, viewer)).order_by(*(column.desc() for column in key)).limit(limit)
    if filters.order_id is not None:
        statement = statement.where(payment.c.order_id == filters.order_id)
    if filters.campaign_id is not None:
        statement = statement.where(payment.c.campaign_id == filters.campaign_id)
    if filters.kind is not None:
        statement = statement.where(payment.c.kind == filters.kind.value)
    if after is not None:
        statement = statement.where(beyond(key, after, descending=True))
    return [_payment(row) for row in await tx.all(statement)]


def _payment(row: Record) -> Payment:
    return Payment(
        id=row["id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        campaign_id=row["campaign_id"],
        kind=PaymentKind(row["kind"]),
        reference=row["reference"],
        method=row["method"],
        amount=Money(row["amount"], row["currency"]),
        reason=row["reason"],
        received_at=row["received_at"],
        version=row["version"],
    )
