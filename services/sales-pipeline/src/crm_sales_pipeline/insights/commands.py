"""Spending money on campaigns and deals, with approval, and reporting what came back."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.deals import store as deals
from crm_sales_pipeline.insights.domain import (
    Campaign,
    CampaignReturn,
    Expense,
    ExpenseState,
    check_decidable,
    check_expense,
    returns,
)
from crm_sales_pipeline.insights.events import ExpenseApproved
from crm_sales_pipeline.insights.store import counting, keeping
from crm_shared.db.pool import Tx
from crm_shared.errors import Forbidden, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class Spend:
    """Money spent on a campaign or a deal; `incurred_at` None is now."""

    campaign_id: UUID | None
    deal_id: UUID | None
    amount: Money
    description: str
    incurred_at: datetime | None = None


async def propose_expense(tx: Tx, viewer: Viewer, data: Spend, *, now: datetime) -> Expense:
    """Money was spent; it counts once somebody else approves."""
    keep_partners_out(viewer)
    check_expense(campaign_id=data.campaign_id, deal_id=data.deal_id, amount=data.amount)
    if data.deal_id is not None and await deals.view(tx, viewer, data.deal_id) is None:
        raise NotFound.of("deal", public_id("deal", data.deal_id))
    made = _expense(data, source="manual", state=ExpenseState.PROPOSED, subject=viewer.subject, now=now)
    await keeping.insert_expense(tx, made)
    return made


async def decide_expense(
    tx: Tx, viewer: Viewer, expense_id: UUID, state: ExpenseState, *, expected: int | None, now: datetime
) -> Expense:
    """Approve or reject an expense of somebody else."""
    del now
    keep_partners_out(viewer)
    found = await keeping.get_expense(tx, expense_id, lock=True)
    if found is None:
        raise NotFound.of("expense", public_id("exp", expense_id))
    expect_version(found.version, expected)
    check_decidable(found, subject=viewer.subject)
    decided = replace(found, state=state, decided_by=viewer.subject, version=found.version + 1)
    await keeping.save_expense(tx, decided)
    if state is ExpenseState.APPROVED:
        _emit_approved(tx, decided)
    return decided


async def book_campaign_cost(
    tx: Tx, viewer: Viewer, campaign_id: UUID, amount: Money, *, incurred_at: datetime, now: datetime
) -> bool:
    """What a campaign's messages cost, said by who sent them; booked once, and approved with the campaign itself."""
    if amount.amount <= 0:
        return False
    data = Spend(campaign_id, None, amount, "Messages sent", incurred_at)
    made = _expense(data, source="campaign", state=ExpenseState.APPROVED, subject=viewer.subject, now=now)
    if not await keeping.insert_expense(tx, made, business_key=f"campaign:{campaign_id}"):
        return False
    _emit_approved(tx, made)
    return True


async def campaign_return(tx: Tx, viewer: Viewer, campaign_id: UUID) -> CampaignReturn | None:
    """One campaign's report; None when nobody has heard of the campaign."""
    known = await keeping.get_campaign(tx, campaign_id)
    campaign = known or Campaign(campaign_id, None, None, None, None, None, None)
    (report,) = await campaign_returns(tx, viewer, [campaign])
    heard_of = known is not None or report.counts.leads or report.counts.orders or report.returns
    return report if heard_of else None


async def campaign_returns(tx: Tx, viewer: Viewer, campaigns: list[Campaign]) -> list[CampaignReturn]:
    """The reports of some campaigns; partners don't see what their principal spends."""
    keep_partners_out(viewer)
    ids = [campaign.id for campaign in campaigns]
    counts = await counting.campaign_counts(tx, ids)
    received = await counting.received(tx, ids)
    cost = await counting.cost(tx, ids)
    return [
        CampaignReturn(
            campaign=campaign,
            counts=counts[campaign.id],
            returns=returns(received.get(campaign.id, {}), cost.get(campaign.id, {})),
        )
        for campaign in campaigns
    ]


def keep_partners_out(viewer: Viewer) -> None:
    """Refuse outside partners what concerns their principal's money."""
    if viewer.partner is not None:
        raise Forbidden("Partners see no expenses and no campaign returns.", code="partner_excluded")


def _expense(data: Spend, *, source: str, state: ExpenseState, subject: str, now: datetime) -> Expense:
    return Expense(
        id=new_id(),
        campaign_id=data.campaign_id,
        deal_id=data.deal_id,
        amount=data.amount,
        description=data.description,
        source=source,
        state=state,
        incurred_at=min(data.incurred_at or now, now),
        created_by=subject,
        decided_by=subject if state is ExpenseState.APPROVED else None,
        version=1,
    )


def _emit_approved(tx: Tx, expense: Expense) -> None:
    tx.emit(
        ExpenseApproved(
            campaign_id=expense.campaign_id,
            deal_id=expense.deal_id,
            amount=expense.amount,
            incurred_at=expense.incurred_at,
        ),
        aggregate_id=expense.id,
    )
