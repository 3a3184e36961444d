"""Deals over HTTP."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from crm_sales_pipeline.deals.commands.conversion import ConvertLead
from crm_sales_pipeline.deals.commands.dealing import MoveDeal, OpenDeal
from crm_sales_pipeline.deals.domain import Deal, Forecast, Loss, Transition
from crm_sales_pipeline.deals.store import DealFilter
from crm_sales_pipeline.fields import Name, Note, Percent, Slug
from crm_sales_pipeline.identifiers import CampaignId, CustomerId, DealId, LeadId, PipelineId, StepId, UserId
from crm_sales_pipeline.pipelines.domain import Canonical
from crm_sales_pipeline.pipelines.schemas import CanonicalRead, StageKey
from crm_shared.fields import Day, DecimalField, Instant, MoneyField, Read, Strict
from crm_shared.http import Page, PageQuery

OwnFields = dict[Slug, Note | None]


class DealCreate(Strict):
    """A chance to sell. Without a pipeline it begins in the default one, without a stage in its first open one."""

    customer_id: CustomerId
    name: Name = Field(examples=["Fifty water pumps"])
    pipeline_id: PipelineId | None = None
    stage: StageKey | None = None
    contact_id: CustomerId | None = None
    owner_id: UserId | None = None
    partner: Slug | None = None
    channel: Slug | None = None
    source: Slug | None = None
    campaign_id: CampaignId | None = None
    amount: MoneyField | None = Field(default=None, examples=[{"amount": "12500.00", "currency": "EUR"}])
    expected_close_on: Day | None = Field(default=None, examples=["2026-06-30"])
    manual_probability: Percent | None = None
    fields: Annotated[dict[Slug, Note], Field(max_length=50)] = Field(default_factory=dict[str, str])

    def to_domain(self) -> OpenDeal:
        """What the command takes."""
        return OpenDeal(
            **{name: getattr(self, name) for name in type(self).model_fields if name != "fields"},
            fields=dict(self.fields),
        )


class DealUpdate(Strict):
    """What may change; null takes a value back. An own field set to null goes."""

    name: Name = ""
    contact_id: CustomerId | None = None
    owner_id: UserId | None = None
    channel: Slug | None = None
    amount: MoneyField | None = Field(default=None, examples=[{"amount": "11900.00", "currency": "EUR"}])
    expected_close_on: Day | None = Field(default=None, examples=["2026-07-15"])
    manual_probability: Percent | None = None
    model_probability: Percent | None = None
    fields: Annotated[OwnFields, Field(max_length=50)] = Field(default_factory=dict[str, str | None])

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class DealMove(Strict):
    """Where to; `reason` (and `competitor`) belong to a loss."""

    stage: StageKey = Field(examples=["quotation"])
    reason: Note | None = None
    competitor: Name | None = None

    def to_domain(self) -> MoveDeal:
        """What the command takes."""
        if self.reason is None and self.competitor is None:
            return MoveDeal(stage=self.stage)
        return MoveDeal(stage=self.stage, loss=Loss(reason=self.reason or "", competitor=self.competitor))


class LeadConvert(Strict):
    """How to convert a lead: into the deal named, a new one, or (left out) the customer's open deal, if any."""

    customer_id: CustomerId | None = None
    deal_id: DealId | None = None
    new_deal: bool = False
    pipeline_id: PipelineId | None = None
    name: Name | None = Field(default=None, examples=["Fifty water pumps"])
    amount: MoneyField | None = Field(default=None, examples=[{"amount": "12500.00", "currency": "EUR"}])

    def to_domain(self) -> ConvertLead:
        """What the command takes."""
        return ConvertLead(**{name: getattr(self, name) for name in type(self).model_fields})


class DealQuery(PageQuery):
    """Which deals to list."""

    pipeline_id: PipelineId | None = None
    stage: StageKey | None = None
    canonical: Canonical | None = None
    owner_id: UserId | None = None
    customer_id: CustomerId | None = None
    campaign_id: CampaignId | None = None

    def to_filter(self) -> DealFilter:
        """What the store takes."""
        return DealFilter(
            pipeline_id=self.pipeline_id,
            stage=self.stage,
            canonical=self.canonical,
            owner_id=self.owner_id,
            customer_id=self.customer_id,
            campaign_id=self.campaign_id,
        )


class ProbabilityRead(Read):
    """Three opinions in percent side by side and the one that counts; null is no opinion, which zero is not."""

    stage: DecimalField | None
    manual: DecimalField | None
    model: DecimalField | None
    effective: DecimalField | None


class DealRead(Read):
    """One deal."""

    id: DealId
    pipeline_id: PipelineId
    stage: str = Field(examples=["quotation"])
    canonical: CanonicalRead
    name: str = Field(examples=["Fifty water pumps"])
    customer_id: CustomerId
    contact_id: CustomerId | None
    owner_id: UserId | None
    partner: str | None = Field(examples=[None])
    channel: str | None = Field(examples=["web"])
    source: str | None = Field(examples=["web-shop"])
    campaign_id: CampaignId | None
    lead_id: LeadId | None
    amount: MoneyField | None
    expected_close_on: date | None
    probability: ProbabilityRead
    fields: dict[str, str]
    opened_at: Instant
    stage_entered_at: Instant
    closed_at: Instant | None
    lost_reason: str | None = Field(examples=[None])
    competitor: str | None = Field(examples=[None])
    orders: int
    version: int

    @classmethod
    def of(cls, deal: Deal) -> "DealRead":
        """The deal as clients see it."""
        direct = {name: getattr(deal, name) for name in cls.model_fields if name not in ("probability", "fields")}
        return cls(
            **direct,
            fields=dict(deal.fields),
            probability=ProbabilityRead(
                stage=deal.probability.stage,
                manual=deal.probability.manual,
                model=deal.probability.model,
                effective=deal.effective_probability,
            ),
        )


class DealPage(Page):
    """One page of deals."""

    items: list[DealRead]


class GuardRead(Read):
    """What one guard found."""

    guard: str = Field(examples=["amount_known"])
    passed: bool


class TransitionRead(Read):
    """One step of a deal; `dwell_s` is how long it stood in the stage it left."""

    id: StepId
    from_stage: str | None = Field(examples=["enquiry"])
    to_stage: str = Field(examples=["quotation"])
    from_canonical: CanonicalRead | None
    to_canonical: CanonicalRead
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    guards: list[GuardRead]
    dwell_s: int | None
    reason: str | None = Field(examples=[None])
    at: Instant


class Transitions(Read):
    """All steps of a deal, oldest first."""

    items: list[TransitionRead]

    @classmethod
    def of(cls, transitions: list[Transition]) -> "Transitions":
        """The steps as clients see them."""
        return cls(
            items=[
                TransitionRead(
                    **{name: getattr(one, name) for name in TransitionRead.model_fields if name != "guards"},
                    guards=[GuardRead(guard=result.guard, passed=result.passed) for result in one.guards],
                )
                for one in transitions
            ]
        )


class ForecastRead(Read):
    """One currency's outlook. Lost deals are in none of the figures, on-hold deals only in their own."""

    currency: str = Field(examples=["EUR"])
    open_deals: int
    open_amount: MoneyField
    weighted_amount: MoneyField
    without_probability: int
    on_hold_amount: MoneyField
    won_amount: MoneyField


class Forecasts(Read):
    """The outlook for each currency; currencies are never summed."""

    items: list[ForecastRead]

    @classmethod
    def of(cls, forecasts: list[Forecast]) -> "Forecasts":
        """The outlook as clients see it."""
        return cls(
            items=[
                ForecastRead(**{name: getattr(one, name) for name in ForecastRead.model_fields}) for one in forecasts
            ]
        )
