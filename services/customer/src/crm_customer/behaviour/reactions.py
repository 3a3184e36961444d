"""What sales tell about customers' behaviour: orders are purchases, payments received are payments."""

from datetime import datetime

from pydantic import Field

from crm_customer.behaviour import commands
from crm_customer.behaviour.commands import Report
from crm_customer.behaviour.domain import FactKind, Item
from crm_customer.fields import CustomerId
from crm_customer.parties.store import aliases, reading
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import DecimalField, Fact, Instant, MoneyField
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

REACTIONS = Reactions()
SOURCE = "sales"


class OrderLine(Fact):
    """One line of an order."""

    sku: str | None = None
    name: str
    quantity: DecimalField
    total: MoneyField


class OrderPlaced(Fact):
    """An order a customer placed."""

    customer_id: CustomerId
    number: str | None = None
    total: MoneyField
    lines: list[OrderLine] = Field(default_factory=list[OrderLine])
    placed_at: Instant


class PaymentReceived(Fact):
    """Money a customer paid."""

    customer_id: CustomerId
    order_id: str | None = None
    amount: MoneyField
    received_at: Instant


@REACTIONS.on("crm.order.placed.v1", OrderPlaced)
async def order_placed(tx: Tx, event: Received[OrderPlaced], *, now: datetime) -> None:
    """An order is a purchase at the time it was placed; its id keeps a repeat from counting twice."""
    order = event.data
    report = Report(
        customer_id=order.customer_id,
        kind=FactKind.PURCHASE,
        source=SOURCE,
        external_id=public_id("ord", event.aggregate_id),
        occurred_at=min(order.placed_at, now),
        amount=order.total,
        order_ref=order.number,
        items=tuple(Item(line.name, line.quantity, line.sku, line.total.amount) for line in order.lines),
    )
    await _report(tx, report, now=now)


@REACTIONS.on("crm.payment.received.v1", PaymentReceived)
async def payment_received(tx: Tx, event: Received[PaymentReceived], *, now: datetime) -> None:
    """A payment is a payment."""
    payment = event.data
    report = Report(
        customer_id=payment.customer_id,
        kind=FactKind.PAYMENT,
        source=SOURCE,
        external_id=public_id("pay", event.aggregate_id),
        occurred_at=min(payment.received_at, now),
        amount=payment.amount,
        order_ref=payment.order_id,
    )
    await _report(tx, report, now=now)


async def _report(tx: Tx, report: Report, *, now: datetime) -> None:
    answering = (await aliases.canonical(tx, [report.customer_id]))[report.customer_id]
    if await reading.existing(tx, [answering]):  # an erased customer's late order counts for nobody
        await commands.report(tx, Viewer.system(tx.tenant), report, now=now)
