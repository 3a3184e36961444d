"""Campaigns as clients send and get them."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from crm_communication_dispatch.campaigns.domain import (
    Campaign,
    CampaignStatus,
    Plan,
    ResponseRule,
    Variant,
    Wants,
)
from crm_communication_dispatch.fields import AudienceId, CampaignId, SegmentId, TemplateId
from crm_communication_dispatch.providers.domain import Channel
from crm_shared.fields import Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery

Name = Annotated[str, Field(min_length=1, max_length=200)]
Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["marketing"])]
Percent = Annotated[int, Field(ge=0, le=90)]
PerMinute = Annotated[int, Field(ge=1, le=10_000_000)]
Seconds = Annotated[int, Field(ge=60, le=90 * 86_400)]


class VariantWrite(Strict):
    """One wording to compare; without a version the newest approved one is pinned when it goes to review."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] = Field(default="A", examples=["a"])
    template_id: TemplateId
    template_version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1

    def to_domain(self) -> Variant:
        """As the rules read it."""
        return Variant(self.name, self.template_id, self.template_version, self.weight)


class RuleWrite(Strict):
    """What each kind of response becomes: a lead for sales, a task for service, or nothing."""

    click: Wants = Wants.NOTHING
    reply: Wants = Wants.LEAD
    coupon: Wants = Wants.LEAD
    call: Wants = Field(default=Wants.LEAD, examples=["task"])

    def to_domain(self) -> ResponseRule:
        """As the rules read it."""
        return ResponseRule(self.click, self.reply, self.coupon, self.call)


Variants = Annotated[list[VariantWrite], Field(min_length=1, max_length=10)]


class CampaignCreate(Strict):
    """A plan: whom to write to, what, how fast, and what responses become."""

    name: Name = Field(examples=["Spring offer"])
    purpose: Purpose = "marketing"
    channel: Channel = Channel.EMAIL
    segment_id: SegmentId
    variants: Variants
    variables: dict[str, Any] = Field(default_factory=dict[str, Any])
    hold_out_percent: Percent = Field(default=0, examples=[10])
    per_minute: PerMinute | None = None
    expires_after_s: Seconds = 3 * 86_400
    coupons: bool = False
    response_rule: RuleWrite = RuleWrite()
    fixed_cost: MoneyField | None = None

    def plan(self) -> Plan:
        """As the command takes it."""
        return Plan(
            name=self.name,
            purpose=self.purpose,
            channel=self.channel.value,
            segment_id=self.segment_id,
            variants=tuple(variant.to_domain() for variant in self.variants),
            variables=self.variables,
            hold_out_percent=self.hold_out_percent,
            per_minute=self.per_minute,
            expires_after_s=self.expires_after_s,
            coupons=self.coupons,
            response_rule=self.response_rule.to_domain(),
            fixed_cost=self.fixed_cost.amount if self.fixed_cost else Decimal(0),
            currency=self.fixed_cost.currency if self.fixed_cost else None,
        )


class CampaignUpdate(Strict):
    """What of a draft changes."""

    name: Name | None = Field(default=None, examples=["Spring offer 2026"])
    purpose: Purpose | None = None
    segment_id: SegmentId | None = None
    variants: Variants | None = None
    variables: dict[str, Any] | None = None
    hold_out_percent: Percent | None = None
    per_minute: PerMinute | None = None
    expires_after_s: Seconds | None = None
    coupons: bool | None = None
    response_rule: RuleWrite | None = None
    fixed_cost: MoneyField | None = None

    def changes(self) -> dict[str, Any]:
        """What was sent, as the rules read it; only the rate may become none."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        kept = {name: value for name, value in sent.items() if value is not None or name == "per_minute"}
        if self.variants is not None:
            kept["variants"] = tuple(variant.to_domain() for variant in self.variants)
        if self.response_rule is not None:
            kept["response_rule"] = self.response_rule.to_domain()
        if self.fixed_cost is not None:
            kept |= {"fixed_cost": self.fixed_cost.amount, "currency": self.fixed_cost.currency}
        return kept


class CampaignSchedule(Strict):
    """When it begins; without a time, now."""

    start_at: Instant | None = Field(default=None, examples=["2026-04-01T08:00:00Z"])


class CampaignReject(Strict):
    """Why the author must think again."""

    note: Annotated[str, Field(min_length=1, max_length=1_000)] = Field(
        examples=["The price in the second paragraph is last year's."]
    )


class VariantRead(Read):
    """One wording that is compared."""

    name: str = Field(examples=["a"])
    template_id: TemplateId
    template_version: int | None
    weight: int


class CampaignRuleRead(Read):
    """What each kind of response becomes."""

    click: Annotated[str, extensible(Wants)]
    reply: Annotated[str, extensible(Wants)]
    coupon: Annotated[str, extensible(Wants)]
    call: Annotated[str, extensible(Wants)]


class CampaignRead(Read):
    """A campaign; `targeted` is known once its audience is ready."""

    id: CampaignId
    name: str = Field(examples=["Spring offer"])
    purpose: str = Field(examples=["marketing"])
    channel: Annotated[str, extensible(Channel)]
    segment_id: SegmentId
    variants: list[VariantRead]
    variables: dict[str, Any]
    hold_out_percent: int = Field(examples=[10])
    per_minute: int | None = Field(examples=[600])
    expires_after_s: int = Field(examples=[259200])
    coupons: bool
    response_rule: CampaignRuleRead
    fixed_cost: MoneyField
    status: Annotated[str, extensible(CampaignStatus)]
    author: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    approver: str | None = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    review_note: str | None = Field(examples=[None])
    audience_id: AudienceId | None
    targeted: int | None
    start_at: Instant | None
    started_at: Instant | None
    planned_at: Instant | None
    finished_at: Instant | None
    created_at: Instant
    updated_at: Instant
    version: int

    @classmethod
    def of(cls, found: Campaign) -> "CampaignRead":
        """The client's view."""
        plan, rule = found.plan, found.plan.response_rule
        own = {name: getattr(found, name) for name in cls.model_fields if name in Campaign.__dataclass_fields__}
        planned = {name: getattr(plan, name) for name in cls.model_fields if name in Plan.__dataclass_fields__}
        planned["variants"] = [
            VariantRead(name=v.name, template_id=v.template_id, template_version=v.template_number, weight=v.weight)
            for v in plan.variants
        ]
        planned["response_rule"] = CampaignRuleRead(
            click=rule.click, reply=rule.reply, coupon=rule.coupon, call=rule.call
        )
        planned["fixed_cost"] = plan.own_cost
        return cls(**own, **planned)


class CampaignPage(Page):
    """Some campaigns."""

    items: list[CampaignRead]


class CampaignFilter(PageQuery):
    """Which campaigns."""

    status: CampaignStatus | None = None
    segment_id: SegmentId | None = None
