"""Expenses, campaign returns and funnels over HTTP."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from crm_sales_pipeline.fields import Moment, Name
from crm_sales_pipeline.identifiers import CampaignId, DealId, ExpenseId
from crm_sales_pipeline.insights.commands import Spend
from crm_sales_pipeline.insights.domain import CampaignReturn, Expense, ExpenseState, FunnelStage
from crm_sales_pipeline.insights.store.counting import FunnelFilter
from crm_sales_pipeline.insights.store.keeping import ExpenseFilter
from crm_shared.fields import DecimalField, Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery


class ExpenseCreate(Strict):
    """Money spent on a campaign or on a deal."""

    campaign_id: CampaignId | None = Field(default=None, examples=["cmp_064gkndciprknf6emc10j6k0as"])
    deal_id: DealId | None = None
    amount: MoneyField = Field(examples=[{"amount": "480.00", "currency": "EUR"}])
    description: Name = Field(examples=["Printing of 2,000 letters"])
    incurred_at: Moment | None = None

    def to_domain(self) -> Spend:
        """What the command takes."""
        return Spend(
            campaign_id=self.campaign_id,
            deal_id=self.deal_id,
            amount=self.amount,
            description=self.description,
            incurred_at=self.incurred_at,
        )


class ExpenseQuery(PageQuery):
    """Which expenses to list."""

    campaign_id: CampaignId | None = None
    deal_id: DealId | None = None
    state: ExpenseState | None = None

    def to_filter(self) -> ExpenseFilter:
        """What the store takes."""
        return ExpenseFilter(campaign_id=self.campaign_id, deal_id=self.deal_id, state=self.state)


class ExpenseRead(Read):
    """One expense."""

    id: ExpenseId
    campaign_id: CampaignId | None
    deal_id: DealId | None
    amount: MoneyField
    description: str = Field(examples=["Printing of 2,000 letters"])
    source: str = Field(examples=["entered"])
    state: Annotated[str, extensible(ExpenseState)]
    incurred_at: Instant
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    decided_by: str | None = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    version: int

    @classmethod
    def of(cls, expense: Expense) -> "ExpenseRead":
        """The expense as clients see it."""
        return cls(**{name: getattr(expense, name) for name in cls.model_fields})


class ExpensePage(Page):
    """One page of expenses."""

    items: list[ExpenseRead]


class ReturnRead(Read):
    """One currency: cash received, expenses approved, and their ratio (null if nothing was spent)."""

    currency: str = Field(examples=["EUR"])
    received: MoneyField
    cost: MoneyField
    ratio: DecimalField | None


class CampaignReturnRead(Read):
    """What a campaign returned. Followed up means contacted; hours run from capture to first contact."""

    campaign_id: CampaignId
    name: str | None = Field(examples=["Spring offer"])
    purpose: str | None = Field(examples=["marketing"])
    started_at: Instant | None
    finished_at: Instant | None
    targeted: int | None
    accepted: int | None
    leads: int
    followed_up: int
    followed_up_share: DecimalField | None
    mean_hours_to_contact: DecimalField | None
    median_hours_to_contact: DecimalField | None
    deals: int
    deals_won: int
    orders: int
    returns: list[ReturnRead]

    @classmethod
    def of(cls, report: CampaignReturn) -> "CampaignReturnRead":
        """The report as clients see it."""
        campaign, counts = report.campaign, report.counts
        of_campaign = ("name", "purpose", "started_at", "finished_at", "targeted", "accepted")
        elsewhere = {"campaign_id", "returns", *of_campaign}
        return cls(
            campaign_id=campaign.id,
            **{name: getattr(campaign, name) for name in of_campaign},
            **{name: getattr(counts, name) for name in cls.model_fields if name not in elsewhere},
            returns=[
                ReturnRead(currency=one.cost.currency, received=one.received, cost=one.cost, ratio=one.ratio)
                for one in report.returns
            ],
        )


class CampaignReturnPage(Page):
    """One page of campaign reports."""

    items: list[CampaignReturnRead]


class CampaignReturnQuery(PageQuery):
    """Which campaigns to report on: all."""


class FunnelQuery(BaseModel):
    """What the funnel covers: records that began between two moments, of one campaign."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign_id: CampaignId | None = Field(None, description="Only what this campaign brought.")
    begun_from: Moment | None = Field(None, description="Records that began then or later.")
    begun_to: Moment | None = Field(None, description="Records that began before.")

    def to_filter(self) -> FunnelFilter:
        """What the store takes."""
        return FunnelFilter(campaign_id=self.campaign_id, begun_from=self.begun_from, begun_to=self.begun_to)


class FunnelStageRead(Read):
    """How many records reached a stage."""

    stage: str = Field(examples=["quotation"])
    count: int


class FunnelRead(Read):
    """Counts from lead to delivery."""

    stages: list[FunnelStageRead]

    @classmethod
    def of(cls, stages: list[FunnelStage]) -> "FunnelRead":
        """The funnel as clients see it."""
        return cls(stages=[FunnelStageRead(stage=one.name, count=one.count) for one in stages])
