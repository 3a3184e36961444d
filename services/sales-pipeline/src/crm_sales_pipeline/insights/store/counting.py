"""Counting what became of leads, and summing money, never across currencies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ClauseElement, Column, ColumnElement, Table, case, func, select

from crm_sales_pipeline.collections.domain import PaymentKind
from crm_sales_pipeline.collections.tables import payment
from crm_sales_pipeline.deals.tables import deal
from crm_sales_pipeline.insights.domain import CampaignCounts, ExpenseState, FunnelStage
from crm_sales_pipeline.insights.tables import expense
from crm_sales_pipeline.leads.domain.leads import LeadState
from crm_sales_pipeline.leads.tables import lead, lead_step
from crm_sales_pipeline.lists.store import visible
from crm_sales_pipeline.orders.tables import sales_order
from crm_sales_pipeline.pipelines.domain import Canonical
from crm_sales_pipeline.quotes.domain import QuoteState
from crm_sales_pipeline.quotes.tables import quote
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_of
from crm_shared.tenancy import Viewer

_SECONDS_PER_HOUR = 3_600
_NOTHING = {"leads": 0, "followed_up": 0, "mean_s": None, "median_s": None}


@dataclass(frozen=True, slots=True)
class _Counted:
    """One kind of record in the funnel: when it begins, and what it may reach."""

    name: str
    table: Table
    begun: Column[Any]
    reached: Mapping[str, ColumnElement[bool]]


_WAS_QUALIFIED = (
    select(lead_step.c.lead_id)
    .where(
        lead_step.c.tenant_id == lead.c.tenant_id,
        lead_step.c.lead_id == lead.c.id,
        lead_step.c.to_state == LeadState.QUALIFIED.value,
    )
    .exists()
)
_COUNTED = (
    _Counted(
        "leads",
        lead,
        lead.c.captured_at,
        {
            "leads_assigned": lead.c.owner_id.isnot(None),
            "leads_contacted": lead.c.contacted_at.isnot(None),
            "leads_qualified": _WAS_QUALIFIED,
            "leads_converted": lead.c.state == LeadState.CONVERTED.value,
        },
    ),
    _Counted(
        "deals",
        deal,
        deal.c.opened_at,
        {
            "deals_won": deal.c.canonical == Canonical.WON.value,
            "deals_lost": deal.c.canonical == Canonical.LOST.value,
        },
    ),
    _Counted(
        "quotes",
        quote,
        quote.c.created_at,
        {
            "quotes_sent": quote.c.sent_at.isnot(None),
            "quotes_accepted": quote.c.state == QuoteState.ACCEPTED.value,
        },
    ),
    _Counted(
        "orders",
        sales_order,
        sales_order.c.placed_at,
        {
            "orders_paid": sales_order.c.paid_at.isnot(None),
            "orders_delivered": sales_order.c.delivered_at.isnot(None),
        },
    ),
)


@dataclass(frozen=True, slots=True)
class FunnelFilter:
    """What a funnel covers: records of a campaign, begun in a time."""

    campaign_id: UUID | None = None
    begun_from: datetime | None = None
    begun_to: datetime | None = None


async def campaign_counts(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, CampaignCounts]:
    """How far the leads of each campaign came."""
    leads = await tx.all(
        select(
            lead.c.campaign_id,
            func.count().label("leads"),
            func.count(lead.c.contacted_at).label("followed_up"),
            func.avg(lead.c.seconds_to_contact).label("mean_s"),
            func.percentile_cont(0.5).within_group(lead.c.seconds_to_contact).label("median_s"),
        )
        .where(any_of(lead.c.campaign_id, ids))
        .group_by(lead.c.campaign_id)
    )
    deals = await tx.all(
        select(
            deal.c.campaign_id,
            func.count().label("deals"),
            func.count(case((deal.c.canonical == Canonical.WON.value, 1))).label("won"),
        )
        .where(any_of(deal.c.campaign_id, ids))
        .group_by(deal.c.campaign_id)
    )
    orders = await tx.all(
        select(sales_order.c.campaign_id, func.count().label("orders"))
        .where(any_of(sales_order.c.campaign_id, ids))
        .group_by(sales_order.c.campaign_id)
    )
    lead_rows: dict[UUID, Any] = {row["campaign_id"]: row for row in leads}
    deal_rows: dict[UUID, Any] = {row["campaign_id"]: row for row in deals}
    order_rows: dict[UUID, Any] = {row["campaign_id"]: row for row in orders}
    nothing: dict[str, Any] = {**_NOTHING, "deals": 0, "won": 0, "orders": 0}
    return {
        campaign_id: _counts(
            lead_rows.get(campaign_id, nothing),
            deal_rows.get(campaign_id, nothing),
            order_rows.get(campaign_id, nothing),
        )
        for campaign_id in ids
    }


async def received(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, dict[str, Decimal]]:
    """Cash kept for each campaign and currency: receipts less refunds."""
    signed = case((payment.c.kind == PaymentKind.REFUND.value, -payment.c.amount), else_=payment.c.amount)
    return await _by_currency(
        tx,
        select(payment.c.campaign_id, payment.c.currency, func.sum(signed).label("amount"))
        .where(any_of(payment.c.campaign_id, ids))
        .group_by(payment.c.campaign_id, payment.c.currency),
    )


async def cost(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, dict[str, Decimal]]:
    """Expenses approved for each campaign and currency."""
    return await _by_currency(
        tx,
        select(expense.c.campaign_id, expense.c.currency, func.sum(expense.c.amount).label("amount"))
        .where(any_of(expense.c.campaign_id, ids), expense.c.state == ExpenseState.APPROVED.value)
        .group_by(expense.c.campaign_id, expense.c.currency),
    )


async def funnel(tx: Tx, viewer: Viewer, filters: FunnelFilter) -> list[FunnelStage]:
    """How many records reached each stage, of those begun in the time."""
    stages: list[FunnelStage] = []
    for counted in _COUNTED:
        statement = (
            select(
                func.count().label(counted.name),
                *(func.count(case((when, 1))).label(name) for name, when in counted.reached.items()),
            )
            .select_from(counted.table)
            .where(*_conditions(counted, viewer, filters))
        )
        row = await tx.one(statement)
        assert row is not None
        stages += [FunnelStage(name=name, count=count) for name, count in row.items()]
    return stages


def _conditions(counted: _Counted, viewer: Viewer, filters: FunnelFilter) -> list[ColumnElement[bool]]:
    conditions = list(visible(counted.table, viewer))
    if filters.campaign_id is not None:
        conditions.append(counted.table.c.campaign_id == filters.campaign_id)
    if filters.begun_from is not None:
        conditions.append(counted.begun >= filters.begun_from)
    if filters.begun_to is not None:
        conditions.append(counted.begun < filters.begun_to)
    return conditions


async def _by_currency(tx: Tx, statement: ClauseElement) -> dict[UUID, dict[str, Decimal]]:
    found: dict[UUID, dict[str, Decimal]] = {}
    for row in await tx.all(statement):
        found.setdefault(row["campaign_id"], {})[row["currency"]] = row["amount"]
    return found


def _counts(leads: Any, deals: Any, orders: Any) -> CampaignCounts:
    return CampaignCounts(
        leads=leads["leads"],
        followed_up=leads["followed_up"],
        mean_hours_to_contact=_hours(leads["mean_s"]),
        median_hours_to_contact=_hours(leads["median_s"]),
        deals=deals["deals"],
        deals_won=deals["won"],
        orders=orders["orders"],
    )


def _hours(seconds: Decimal | float | None) -> Decimal | None:
    if seconds is None:
        return None
    return (Decimal(str(seconds)) / _SECONDS_PER_HOUR).quantize(Decimal("0.01"))
