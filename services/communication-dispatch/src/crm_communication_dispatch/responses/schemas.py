"""Responses and campaign reports as clients send and get them."""

from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from crm_communication_dispatch.audiences.schemas import AudienceRead
from crm_communication_dispatch.campaigns.domain import HOLD_OUT, CampaignStatus, Wants
from crm_communication_dispatch.campaigns.store import Counted
from crm_communication_dispatch.fields import CampaignId, CustomerId, InboundMailId, MessageId, ResponseId
from crm_communication_dispatch.messages.domain import FINAL
from crm_communication_dispatch.responses.commands import Told
from crm_communication_dispatch.responses.domain import BuyingWindow, InboundMail, Response, ResponseKind
from crm_communication_dispatch.responses.mail import MailKind
from crm_communication_dispatch.responses.queries import Report
from crm_shared.fields import Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery
from crm_shared.money import Money


class ResponseCreate(Strict):
    """An answer that came by coupon code or by a call."""

    kind: Literal[ResponseKind.COUPON, ResponseKind.CALL]
    code: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(default=None, examples=["SPRING-7Q2K"])
    customer_id: CustomerId | None = None
    campaign_id: CampaignId | None = None
    buying_window: BuyingWindow | None = None
    text: Annotated[str, Field(max_length=10_000)] | None = None

    def told(self) -> Told:
        """As the command takes it."""
        return Told(self.kind, self.code, self.customer_id, self.campaign_id, self.buying_window, self.text)


class ResponseRead(Read):
    """One answer of a customer; `wants` says what the campaign's rule makes of it."""

    id: ResponseId
    customer_id: CustomerId
    campaign_id: CampaignId | None
    message_id: MessageId | None
    kind: Annotated[str, extensible(ResponseKind)]
    buying_window: Annotated[str, extensible(BuyingWindow)] | None
    text: str | None = Field(examples=["Please call me tomorrow."])
    wants: Annotated[str, extensible(Wants)]
    captured_at: Instant

    @classmethod
    def of(cls, found: Response) -> "ResponseRead":
        """The client's view."""
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class ResponsePage(Page):
    """Some responses."""

    items: list[ResponseRead]


class ResponseFilter(PageQuery):
    """Which responses."""

    customer_id: CustomerId | None = None
    campaign_id: CampaignId | None = None
    kind: ResponseKind | None = None


class InboundMailRead(Read):
    """A mail that came to us, as it was understood."""

    id: InboundMailId
    kind: Annotated[str, extensible(MailKind)]
    message_id: MessageId | None
    customer_id: CustomerId | None
    sender: str | None = Field(examples=["ada@example.org"])
    subject: str | None = Field(examples=["Re: Our offer for you"])
    text: str | None = Field(examples=["Please call me tomorrow."])
    detail: dict[str, Any]
    received_at: Instant

    @classmethod
    def of(cls, found: InboundMail) -> "InboundMailRead":
        """The client's view."""
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class VariantReport(Read):
    """How one wording fared."""

    name: str = Field(examples=["a"])
    targeted: int
    sent: int
    states: dict[str, int]
    responses: dict[str, int]


class CampaignReport(Read):
    """What a campaign came to so far; `complete` means that the end states sum to `targeted`."""

    campaign_id: CampaignId
    name: str = Field(examples=["Spring offer"])
    status: Annotated[str, extensible(CampaignStatus)]
    audience: AudienceRead | None
    targeted: int | None
    planned: int
    complete: bool
    states: dict[str, int]
    reasons: dict[str, int]
    hold_out: int
    sent: int
    variants: list[VariantReport]
    responses: dict[str, int]
    responders: int
    link_requests: dict[str, int]
    cost: MoneyField
    other_costs: list[MoneyField]
    cost_per_sent: MoneyField | None

    @classmethod
    def of(cls, found: Report) -> "CampaignReport":
        """The client's view."""
        campaign, plan = found.campaign, found.campaign.plan
        sent = sum(one.sent for one in found.counted)
        own = plan.own_cost
        total = Money.total([cost for cost in found.costs if cost.currency == own.currency], own.currency) + own
        names = [variant.name for variant in plan.variants]
        return cls(
            campaign_id=campaign.id,
            name=plan.name,
            status=campaign.status.value,
            audience=AudienceRead.of(found.audience) if found.audience else None,
            targeted=campaign.targeted,
            planned=sum(found.states.values()),
            complete=found.complete,
            states=_named(found.states),
            reasons=_reasons(found.counted),
            hold_out=found.held_out,
            sent=sent,
            variants=[_variant(name, found) for name in names],
            responses=_answers(found, None),
            responders=sum(customers for _, _, _, customers in found.answered),
            link_requests=found.hits,
            cost=total,
            other_costs=[cost for cost in found.costs if cost.currency != own.currency],
            cost_per_sent=Money((total.amount / sent).quantize(Decimal("0.000001")), total.currency) if sent else None,
        )


def _named(states: Counter[Any]) -> dict[str, int]:
    return {status.value: count for status, count in states.items()}


def _reasons(counted: list[Counted]) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for one in counted:
        if one.reason and (one.status in FINAL or one.status.value in ("held", "unknown", "queued")):
            reasons[one.reason] += one.count
    return dict(reasons)


def _answers(found: Report, variant: str | None) -> dict[str, int]:
    answers: Counter[str] = Counter()
    for name, kind, count, _ in found.answered:
        if variant is None or name == variant:
            answers[kind.value] += count
    return dict(answers)


def _variant(name: str, found: Report) -> VariantReport:
    own = [one for one in found.counted if one.variant == name and one.variant != HOLD_OUT]
    states: Counter[str] = Counter()
    for one in own:
        states[one.status.value] += one.count
    return VariantReport(
        name=name,
        targeted=sum(states.values()),
        sent=sum(one.sent for one in own),
        states=dict(states),
        responses=_answers(found, name),
    )
