"""Placing orders: from an accepted quote exactly once, or directly at a counter or on the web."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from crm_sales_pipeline.catalogue.commands import AskedLine, Terms, price_lines
from crm_sales_pipeline.customers.commands import meet
from crm_sales_pipeline.deals import store as deals
from crm_sales_pipeline.deals.commands.dealing import win_by_order
from crm_sales_pipeline.deals.domain import Deal
from crm_sales_pipeline.lists.domain import partner_for, sees, user_of
from crm_sales_pipeline.numbering.store import next_number
from crm_sales_pipeline.orders import store
from crm_sales_pipeline.orders.domain import Order, OrderLine
from crm_sales_pipeline.orders.events import OrderPaid, OrderPlaced, PlacedLine
from crm_sales_pipeline.quotes import store as quotes
from crm_sales_pipeline.quotes.commands import lines_of, mark_accepted
from crm_sales_pipeline.quotes.domain import Line, Quote, QuoteState, Totals, check_acceptable
from crm_sales_pipeline.quotes.events import QuoteAccepted
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer

PAYMENT_DUE = "order.payment-due"
_TERM = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """What is ordered. The same `external_key` again is the same order; `due_at` None is a fortnight from now."""

    customer_id: UUID
    terms: Terms
    lines: Sequence[AskedLine]
    external_key: str | None = None
    deal_id: UUID | None = None
    campaign_id: UUID | None = None
    channel: str | None = None
    outlet: str | None = None
    due_at: datetime | None = None


async def accept_quote(tx: Tx, viewer: Viewer, quote_id: UUID, *, now: datetime) -> Order:
    """The customer says yes: one order, however often and however much at once it is said.

    Raises:
        Conflict: the quote isn't on the table, has expired, or another version of it was accepted.
    """
    versions = await quotes.lock_versions(tx, quote_id)
    if not versions or not sees(viewer, partner=versions[0].partner, owner_id=versions[0].owner_id):
        raise NotFound.of("quote", public_id("quo", quote_id))
    quote = next(one for one in versions if one.id == quote_id)
    if quote.state is QuoteState.ACCEPTED:
        assert quote.order_id is not None
        return await _existing(tx, quote.order_id)
    if any(one.state is QuoteState.ACCEPTED for one in versions):
        raise Conflict("Another version of this quote has been accepted.", code="quote_accepted")
    check_acceptable(quote, now=now)
    customer = await meet(tx, quote.customer_id)
    if quote.deal_id is not None:
        await win_by_order(tx, viewer, quote.deal_id, quote.totals.total, now=now)
    order = await _of_quote(tx, quote, customer_id=customer.id, now=now)
    await _place(tx, order, external_key=None)
    await mark_accepted(tx, quote, order_id=order.id, now=now)
    tx.emit(
        QuoteAccepted(customer_id=order.customer_id, order_id=order.id, total=order.totals.total),
        aggregate_id=quote.id,
    )
    return order


async def place_order(tx: Tx, viewer: Viewer, data: PlaceOrder, *, now: datetime) -> Order:
    """Order without a quote, priced here.

    Raises:
        Conflict: the deal is another customer's or lost, or no price book is valid.
        Invalid: a line cannot be priced.
    """
    customer = await meet(tx, data.customer_id)
    known = await store.find_by_external_key(tx, data.external_key) if data.external_key is not None else None
    if known is not None:
        return await _own(tx, viewer, known)
    priced = await price_lines(tx, data.lines, data.terms, now=now)
    totals = Totals.of(priced.priced)
    deal: Deal | None = None
    if data.deal_id is not None:
        deal = await deals.view(tx, viewer, data.deal_id)
        if deal is None:
            raise NotFound.of("deal", public_id("deal", data.deal_id))
        if deal.customer_id != customer.id:
            raise Conflict("This deal is another customer's.", code="customer_mismatch")
        await win_by_order(tx, viewer, deal.id, totals.total, now=now)
    bare = _bare(customer_id=customer.id, totals=totals, lines=lines_of(priced), now=now)
    order = replace(
        bare,
        number=await next_number(tx, "O", now=now),
        deal_id=data.deal_id,
        campaign_id=data.campaign_id or (deal.campaign_id if deal is not None else None),
        owner_id=deal.owner_id if deal is not None else user_of(viewer),
        partner=deal.partner if deal is not None else partner_for(viewer, None),
        channel=data.channel or (deal.channel if deal is not None else None),
        outlet=data.outlet,
        due_at=data.due_at or bare.due_at,
    )
    await _place(tx, order, external_key=data.external_key)
    return order


async def _of_quote(tx: Tx, quote: Quote, *, customer_id: UUID, now: datetime) -> Order:
    bare = _bare(customer_id=customer_id, totals=quote.totals, lines=quote.lines, now=now)
    return replace(
        bare,
        number=await next_number(tx, "O", now=now),
        deal_id=quote.deal_id,
        quote_id=quote.id,
        campaign_id=quote.campaign_id,
        owner_id=quote.owner_id,
        partner=quote.partner,
    )


def _bare(*, customer_id: UUID, totals: Totals, lines: Sequence[Line], now: datetime) -> Order:
    return Order(
        id=new_id(),
        number="",
        customer_id=customer_id,
        deal_id=None,
        quote_id=None,
        campaign_id=None,
        owner_id=None,
        partner=None,
        channel=None,
        outlet=None,
        totals=totals,
        lines=tuple(OrderLine(line=line) for line in lines),
        received=Money.zero(totals.total.currency).rounded(),
        placed_at=now,
        due_at=now + _TERM,
        paid_at=None if totals.total.amount > 0 else now,
        overdue_at=None,
        delivered_at=None,
        version=1,
    )


async def _place(tx: Tx, order: Order, *, external_key: str | None) -> None:
    await store.insert_new(tx, order, external_key=external_key)
    currency = order.totals.total.currency
    tx.emit(
        OrderPlaced(
            customer_id=order.customer_id,
            deal_id=order.deal_id,
            quote_id=order.quote_id,
            campaign_id=order.campaign_id,
            number=order.number,
            total=order.totals.total,
            lines=[_placed(one.line, currency) for one in order.lines],
            placed_at=order.placed_at,
        ),
        aggregate_id=order.id,
    )
    if order.paid_at is None:
        await schedule(tx, PAYMENT_DUE, key=str(order.id), due_at=order.due_at)
        return
    tx.emit(
        OrderPaid(customer_id=order.customer_id, number=order.number, total=order.totals.total, paid_at=order.paid_at),
        aggregate_id=order.id,
    )


def _placed(line: Line, currency: str) -> PlacedLine:
    return PlacedLine(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=Money(line.unit_price, currency),
        total=Money(line.total, currency),
    )


async def _existing(tx: Tx, order_id: UUID) -> Order:
    found = await store.get(tx, order_id)
    assert found is not None
    return found


async def _own(tx: Tx, viewer: Viewer, order_id: UUID) -> Order:
    found = await store.view(tx, viewer, order_id)
    if found is None:
        raise Conflict("This order is here already, and it isn't yours to see.", code="order_exists")
    return found
