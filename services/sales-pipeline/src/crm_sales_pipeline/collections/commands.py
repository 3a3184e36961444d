"""Booking money: each reference once, whoever says it how often."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.collections import store
from crm_sales_pipeline.collections.domain import (
    Payment,
    PaymentKind,
    check_amount,
    check_refund,
    check_same,
)
from crm_sales_pipeline.collections.events import PaymentReceived, PaymentRefunded
from crm_sales_pipeline.orders.commands.handling import book_money, lock
from crm_sales_pipeline.orders.domain import Order
from crm_shared.db.pool import Tx
from crm_shared.ids import new_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class BookMoney:
    """Money that moved for an order; `at` is when, None for now."""

    order_id: UUID
    reference: str
    amount: Money
    method: str | None = None
    reason: str | None = None
    at: datetime | None = None


async def receive_payment(tx: Tx, viewer: Viewer, data: BookMoney, *, now: datetime) -> Payment:
    """Book a receipt. Too little leaves the order partly paid; too much is kept and shows as the order's credit.

    Raises:
        Conflict: the reference was booked before, for another order or amount.
        CurrencyMismatch: the order is in another currency.
    """
    order = await lock(tx, viewer, data.order_id)
    known = await _known(tx, data, PaymentKind.RECEIPT)
    if known is not None:
        return known
    check_amount(order, data.amount)
    made, is_new = await _book(tx, order, data, PaymentKind.RECEIPT, now=now)
    if not is_new:
        return made
    await book_money(tx, order, data.amount, now=now)
    tx.emit(
        PaymentReceived(
            customer_id=made.customer_id,
            order_id=made.order_id,
            campaign_id=made.campaign_id,
            amount=made.amount,
            received_at=made.received_at,
        ),
        aggregate_id=made.id,
    )
    return made


async def refund_payment(tx: Tx, viewer: Viewer, data: BookMoney, *, now: datetime) -> Payment:
    """Book money given back, never more than was kept.

    Raises:
        Conflict: more than was received, or the reference was booked before with something else.
    """
    order = await lock(tx, viewer, data.order_id)
    known = await _known(tx, data, PaymentKind.REFUND)
    if known is not None:
        return known
    check_refund(order, data.amount)
    made, is_new = await _book(tx, order, data, PaymentKind.REFUND, now=now)
    if not is_new:
        return made
    await book_money(tx, order, -data.amount, now=now)
    tx.emit(
        PaymentRefunded(
            customer_id=made.customer_id,
            order_id=made.order_id,
            campaign_id=made.campaign_id,
            amount=made.amount,
            reason=made.reason or "",
            refunded_at=made.received_at,
        ),
        aggregate_id=made.id,
    )
    return made


async def _known(tx: Tx, data: BookMoney, kind: PaymentKind) -> Payment | None:
    known = await store.find_by_reference(tx, data.reference)
    if known is not None:
        check_same(known, order_id=data.order_id, kind=kind, amount=data.amount)
    return known


async def _book(tx: Tx, order: Order, data: BookMoney, kind: PaymentKind, *, now: datetime) -> tuple[Payment, bool]:
    made = Payment(
        id=new_id(),
        order_id=order.id,
        customer_id=order.customer_id,
        campaign_id=order.campaign_id,
        kind=kind,
        reference=data.reference,
        method=data.method,
        amount=data.amount,
        reason=data.reason,
        received_at=min(data.at or now, now),
        version=1,
    )
    if await store.insert_new(tx, made):
        return made, True
    # Booked meanwhile for another order: a lock on ours doesn't hold that off, the unique reference does.
    known = await _known(tx, data, kind)
    assert known is not None
    return known, False
