"""What happens to an order after it is placed: goods move, money comes and goes, time passes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from crm_sales_pipeline.lists.domain import sees
from crm_sales_pipeline.orders import store
from crm_sales_pipeline.orders.commands.placing import PAYMENT_DUE
from crm_sales_pipeline.orders.domain import DeliveryState, Movement, Order, OrderLine, quantities
from crm_sales_pipeline.orders.events import OrderDelivered, OrderOverdue, OrderPaid, OrderReturned, ReturnedLine
from crm_sales_pipeline.orders.store import MovementRow
from crm_shared.db.due import unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class MoveGoods:
    """Which quantities of which positions move; None is all that still can."""

    quantities: Mapping[int, Decimal] | None
    reason: str | None = None


async def deliver_order(
    tx: Tx, viewer: Viewer, order_id: UUID, data: MoveGoods, *, expected: int | None, now: datetime
) -> Order:
    """Goods went out; whether they are paid for is another matter."""
    found = await lock(tx, viewer, order_id, expected=expected)
    moved = await _move(tx, viewer, found, Movement.DELIVERY, data, now=now)
    complete = moved.delivery_state is DeliveryState.DELIVERED and found.delivered_at is None
    kept = await _keep(tx, replace(moved, delivered_at=now) if complete else moved)
    if complete:
        tx.emit(OrderDelivered(customer_id=kept.customer_id, delivered_at=now), aggregate_id=kept.id)
    return kept


async def return_goods(
    tx: Tx, viewer: Viewer, order_id: UUID, data: MoveGoods, *, expected: int | None, now: datetime
) -> Order:
    """Goods came back; giving money back is a refund of its own."""
    found = await lock(tx, viewer, order_id, expected=expected)
    asked = quantities(found, Movement.RETURN, data.quantities)
    kept = await _keep(tx, await _move(tx, viewer, found, Movement.RETURN, data, now=now))
    tx.emit(
        OrderReturned(
            customer_id=kept.customer_id,
            lines=[
                ReturnedLine(sku=one.line.sku, quantity=asked[one.line.position])
                for one in kept.lines
                if one.line.position in asked
            ],
            reason=data.reason or "",
            returned_at=now,
        ),
        aggregate_id=kept.id,
    )
    return kept


async def book_money(tx: Tx, order: Order, change: Money, *, now: datetime) -> Order:
    """Account for money of an order that the caller has locked; the order is paid once, when it first is covered."""
    booked = replace(order, received=order.received + change)
    if order.paid_at is not None or booked.received < booked.totals.total:
        return await _keep(tx, booked)
    paid = await _keep(tx, replace(booked, paid_at=now))
    await unschedule(tx, PAYMENT_DUE, key=str(order.id))
    tx.emit(
        OrderPaid(customer_id=paid.customer_id, number=paid.number, total=paid.totals.total, paid_at=now),
        aggregate_id=paid.id,
    )
    return paid


async def note_overdue(tx: Tx, order_id: UUID, *, now: datetime) -> bool:
    """The due date passed: say so once, if something is still owed."""
    found = await store.get(tx, order_id, lock=True)
    if found is None or found.overdue_at is not None or found.due_at > now or not found.outstanding:
        return False
    await _keep(tx, replace(found, overdue_at=now))
    tx.emit(
        OrderOverdue(
            customer_id=found.customer_id, number=found.number, outstanding=found.outstanding, due_at=found.due_at
        ),
        aggregate_id=found.id,
    )
    return True


async def lock(tx: Tx, viewer: Viewer, order_id: UUID, *, expected: int | None = None) -> Order:
    """The order, ours to change until the transaction ends.

    Raises:
        NotFound: it isn't there, or the viewer may not see it.
        PreconditionFailed: it isn't as the sender saw it.
    """
    found = await store.get(tx, order_id, lock=True)
    if found is None or not sees(viewer, partner=found.partner, owner_id=found.owner_id):
        raise NotFound.of("order", public_id("ord", order_id))
    expect_version(found.version, expected)
    return found


async def _move(tx: Tx, viewer: Viewer, order: Order, movement: Movement, data: MoveGoods, *, now: datetime) -> Order:
    moving = quantities(order, movement, data.quantities)
    moved = replace(order, lines=tuple(_moved(one, movement, moving) for one in order.lines))
    row = MovementRow(id=new_id(), kind=movement, quantities=moving, reason=data.reason, actor=viewer.subject, at=now)
    await store.save_movement(tx, moved, row)
    return moved


def _moved(one: OrderLine, movement: Movement, moving: Mapping[int, Decimal]) -> OrderLine:
    quantity = moving.get(one.line.position, Decimal(0))
    if movement is Movement.DELIVERY:
        return replace(one, delivered=one.delivered + quantity)
    return replace(one, returned=one.returned + quantity)


async def _keep(tx: Tx, changed: Order) -> Order:
    kept = replace(changed, version=changed.version + 1)
    await store.save(tx, kept)
    return kept
