"""Reading and writing orders, their lines and movements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.customers.store import family, with_present_customer
from crm_sales_pipeline.lists.domain import sees
from crm_sales_pipeline.lists.store import beyond, visible
from crm_sales_pipeline.orders.domain import Movement, Order, OrderLine, PaymentState
from crm_sales_pipeline.orders.tables import order_line, order_movement, sales_order
from crm_sales_pipeline.quotes.store import line_of, line_values, totals_of, totals_values
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of
from crm_shared.money import Money
from crm_shared.tenancy import Viewer

_FROM, _CUSTOMER = with_present_customer(sales_order)
_ORDER = select(*(column for column in sales_order.c if column.name != "customer_id"), _CUSTOMER).select_from(_FROM)
_GET = _ORDER.where(sales_order.c.id == bindparam("id"))
_LOCK = _GET.with_for_update(of=sales_order)
_BY_EXTERNAL_KEY = select(sales_order.c.id).where(sales_order.c.external_key == bindparam("external_key"))
_MOVED = (
    update(order_line)
    .where(order_line.c.order_id == bindparam("key"), order_line.c.position == bindparam("at_position"))
    .values(delivered=bindparam("now_delivered"), returned=bindparam("now_returned"))
)
_MOVEMENTS = (
    select(order_movement).where(order_movement.c.order_id == bindparam("order_id")).order_by(order_movement.c.id)
)
_LINE_NAMES = tuple(column.name for column in order_line.c)
_ADD_LINE = insert(order_line).values(**{name: bindparam(name) for name in _LINE_NAMES})


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a list shows; None doesn't narrow."""

    customer_id: UUID | None = None
    deal_id: UUID | None = None
    campaign_id: UUID | None = None
    payment_state: PaymentState | None = None
    overdue: bool | None = None


@dataclass(frozen=True, slots=True)
class MovementRow:
    """Goods that went out or came back."""

    id: UUID
    kind: Movement
    quantities: Mapping[int, Decimal]
    reason: str | None
    actor: str
    at: datetime


async def insert_new(tx: Tx, made: Order, *, external_key: str | None) -> None:
    """Keep a new order with its lines."""
    statement = insert(sales_order).values(
        tenant_id=tx.tenant, customer_id=made.customer_id, external_key=external_key, **_values(made)
    )
    await tx.run(statement)
    rows = [
        {
            "tenant_id": tx.tenant,
            "order_id": made.id,
            "delivered": one.delivered,
            "returned": one.returned,
            **line_values(one.line),
        }
        for one in made.lines
    ]
    await tx.many(_ADD_LINE, rows)


async def save(tx: Tx, changed: Order) -> None:
    """Keep a changed order; its lines and its customer stay."""
    await tx.run(update(sales_order).where(sales_order.c.id == changed.id).values(**_values(changed)))


async def save_movement(tx: Tx, order: Order, row: MovementRow) -> None:
    """Keep goods that moved, and where the order's lines stand now."""
    await tx.many(
        _MOVED,
        [
            {
                "key": order.id,
                "at_position": one.line.position,
                "now_delivered": one.delivered,
                "now_returned": one.returned,
            }
            for one in order.lines
            if one.line.position in row.quantities
        ],
    )
    await tx.run(
        insert(order_movement).values(
            tenant_id=tx.tenant,
            id=row.id,
            order_id=order.id,
            kind=row.kind.value,
            quantities={str(position): format(quantity, "f") for position, quantity in row.quantities.items()},
            reason=row.reason,
            actor=row.actor,
            at=row.at,
        )
    )


async def movements(tx: Tx, order_id: UUID) -> list[MovementRow]:
    """All goods that moved, oldest first."""
    return [
        MovementRow(
            id=row["id"],
            kind=Movement(row["kind"]),
            quantities={int(position): Decimal(quantity) for position, quantity in row["quantities"].items()},
            reason=row["reason"],
            actor=row["actor"],
            at=row["at"],
        )
        for row in await tx.all(_MOVEMENTS, {"order_id": order_id})
    ]


async def get(tx: Tx, order_id: UUID, *, lock: bool = False) -> Order | None:
    """One order with its lines."""
    row = await tx.one(_LOCK if lock else _GET, {"id": order_id})
    return (await _with_lines(tx, [row]))[0] if row is not None else None


async def find_by_external_key(tx: Tx, external_key: str) -> UUID | None:
    """The order that somebody else's system calls this."""
    return await tx.scalar(_BY_EXTERNAL_KEY, {"external_key": external_key})


async def view(tx: Tx, viewer: Viewer, order_id: UUID) -> Order | None:
    """One order, if the viewer may see it."""
    found = await get(tx, order_id)
    if found is None or not sees(viewer, partner=found.partner, owner_id=found.owner_id):
        return None
    return found


async def list_orders(
    tx: Tx, viewer: Viewer, filters: OrderFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Order]:
    """Orders that the viewer may see, newest first."""
    table = sales_order.c
    key = (table.placed_at, table.id)
    statement = _ORDER.where(*visible(sales_order, viewer)).order_by(*(column.desc() for column in key)).limit(limit)
    if filters.customer_id is not None:
        statement = statement.where(any_of(table.customer_id, await family(tx, filters.customer_id)))
    if filters.deal_id is not None:
        statement = statement.where(table.deal_id == filters.deal_id)
    if filters.campaign_id is not None:
        statement = statement.where(table.campaign_id == filters.campaign_id)
    if filters.payment_state is not None:
        conditions = {
            PaymentState.UNPAID: (table.received < table.total, table.received == 0),
            PaymentState.PARTLY_PAID: (table.received < table.total, table.received > 0),
            PaymentState.PAID: (table.received == table.total,),
            PaymentState.OVERPAID: (table.received > table.total,),
        }
        statement = statement.where(*conditions[filters.payment_state])
    if filters.overdue is not None:
        owing = (table.overdue_at.isnot(None)) & (table.received < table.total)
        statement = statement.where(owing if filters.overdue else ~owing)
    if after is not None:
        statement = statement.where(beyond(key, after, descending=True))
    return await _with_lines(tx, await tx.all(statement))


async def _with_lines(tx: Tx, rows: Sequence[Record]) -> list[Order]:
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    found = await tx.all(
        select(order_line)
        .where(any_of(order_line.c.order_id, ids))
        .order_by(order_line.c.order_id, order_line.c.position)
    )
    lines: dict[UUID, list[OrderLine]] = {order_id: [] for order_id in ids}
    for row in found:
        one = OrderLine(line=line_of(row), delivered=row["delivered"], returned=row["returned"])
        lines[row["order_id"]].append(one)
    return [_order(row, tuple(lines[row["id"]])) for row in rows]


def _values(one: Order) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "deal_id": one.deal_id,
        "quote_id": one.quote_id,
        "campaign_id": one.campaign_id,
        "owner_id": one.owner_id,
        "partner": one.partner,
        "channel": one.channel,
        "outlet": one.outlet,
        "currency": one.totals.total.currency,
        **totals_values(one.totals),
        "received": one.received.amount,
        "placed_at": one.placed_at,
        "due_at": one.due_at,
        "paid_at": one.paid_at,
        "overdue_at": one.overdue_at,
        "delivered_at": one.delivered_at,
        "version": one.version,
    }


def _order(row: Record, lines: tuple[OrderLine, ...]) -> Order:
    return Order(
        id=row["id"],
        number=row["number"],
        customer_id=row["customer_id"],
        deal_id=row["deal_id"],
        quote_id=row["quote_id"],
        campaign_id=row["campaign_id"],
        owner_id=row["owner_id"],
        partner=row["partner"],
        channel=row["channel"],
        outlet=row["outlet"],
        totals=totals_of(row),
        lines=lines,
        received=Money(row["received"], row["currency"]),
        placed_at=row["placed_at"],
        due_at=row["due_at"],
        paid_at=row["paid_at"],
        overdue_at=row["overdue_at"],
        delivered_at=row["delivered_at"],
        version=row["version"],
    )
