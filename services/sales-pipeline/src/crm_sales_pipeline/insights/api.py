"""Routes of expenses, campaign returns and the funnel."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_sales_pipeline.identifiers import CampaignId, ExpenseId
from crm_sales_pipeline.insights import commands
from crm_sales_pipeline.insights.domain import CampaignReturn, Expense, ExpenseState, FunnelStage
from crm_sales_pipeline.insights.schemas import (
    CampaignReturnPage,
    CampaignReturnQuery,
    CampaignReturnRead,
    ExpenseCreate,
    ExpensePage,
    ExpenseQuery,
    ExpenseRead,
    FunnelQuery,
    FunnelRead,
)
from crm_sales_pipeline.insights.store import counting, keeping
from crm_shared.db.pool import Tx
from crm_shared.http import Call, PageQuery, Router, needs
from crm_shared.tenancy import Viewer

expenses = Router(
    prefix="/v1/expenses", tag="expenses", about="What selling cost, counted once somebody else has approved it."
)
campaign_returns = Router(
    prefix="/v1/campaign-returns", tag="campaign-returns", about="What campaigns cost and what they brought in."
)
funnel = Router(prefix="/v1/funnel", tag="funnel", about="How many records reached each stage, from lead to delivery.")

ReadsExpenses = Annotated[Call, needs("expenses:read")]
WritesExpenses = Annotated[Call, needs("expenses:write")]
ApprovesExpenses = Annotated[Call, needs("expenses:approve")]
ReadsReturns = Annotated[Call, needs("campaigns:read")]
ReadsFunnel = Annotated[Call, needs("deals:read")]


@expenses.post("", status_code=201, response_model=ExpenseRead)
async def propose(body: ExpenseCreate, call: WritesExpenses) -> Response:
    """Propose an expense; it counts once somebody else approves."""
    return await call.write(commands.propose_expense, body.to_domain(), answer=ExpenseRead.of)


@expenses.get("", response_model=ExpensePage, name="list")
async def list_(call: ReadsExpenses, filters: Annotated[ExpenseQuery, Query()]) -> Response:
    """Expenses, newest first."""

    def key(expense: Expense) -> tuple[Any, ...]:
        return expense.incurred_at, expense.id

    return await call.page(_expenses, filters, answer=ExpenseRead.of, key=key)


@expenses.get("/{expense_id}", response_model=ExpenseRead)
async def get(expense_id: ExpenseId, call: ReadsExpenses) -> Response:
    """One expense."""
    return await call.read(_expense, expense_id, answer=ExpenseRead.of)


@expenses.post("/{expense_id}/approve", response_model=ExpenseRead)
async def approve(expense_id: ExpenseId, call: ApprovesExpenses) -> Response:
    """Approve an expense of somebody else; it counts from now on."""
    return await call.write(
        commands.decide_expense,
        expense_id,
        ExpenseState.APPROVED,
        expected=call.if_match(),
        answer=ExpenseRead.of,
    )


@expenses.post("/{expense_id}/reject", response_model=ExpenseRead)
async def reject(expense_id: ExpenseId, call: ApprovesExpenses) -> Response:
    """Reject an expense of somebody else; it will not count."""
    return await call.write(
        commands.decide_expense,
        expense_id,
        ExpenseState.REJECTED,
        expected=call.if_match(),
        answer=ExpenseRead.of,
    )


@campaign_returns.get("", response_model=CampaignReturnPage, name="list")
async def list_returns(call: ReadsReturns, filters: Annotated[CampaignReturnQuery, Query()]) -> Response:
    """What each campaign returned: cash received against expenses approved, never bookings."""

    def key(report: CampaignReturn) -> tuple[Any, ...]:
        return (report.campaign.id,)

    return await call.page(_returns, filters, answer=CampaignReturnRead.of, key=key)


@campaign_returns.get("/{campaign_id}", response_model=CampaignReturnRead, name="get")
async def get_return(campaign_id: CampaignId, call: ReadsReturns) -> Response:
    """What one campaign returned."""
    return await call.read(commands.campaign_return, campaign_id, answer=CampaignReturnRead.of)


@funnel.get("", response_model=FunnelRead, name="get")
async def get_funnel(call: ReadsFunnel, filters: Annotated[FunnelQuery, Query()]) -> Response:
    """How many records reached each stage, from lead to delivery."""
    return await call.read(_funnel, filters, answer=FunnelRead.of)


async def _expenses(
    tx: Tx, viewer: Viewer, filters: ExpenseQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Expense]:
    commands.keep_partners_out(viewer)
    return await keeping.list_expenses(tx, filters.to_filter(), limit=limit, after=after)


async def _expense(tx: Tx, viewer: Viewer, expense_id: UUID) -> Expense | None:
    commands.keep_partners_out(viewer)
    return await keeping.get_expense(tx, expense_id)


async def _returns(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[CampaignReturn]:
    del filters
    campaigns = await keeping.list_campaigns(tx, limit=limit, after=after)
    return await commands.campaign_returns(tx, viewer, campaigns)


async def _funnel(tx: Tx, viewer: Viewer, filters: FunnelQuery) -> list[FunnelStage]:
    return await counting.funnel(tx, viewer, filters.to_filter())
