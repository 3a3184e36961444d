"""A campaign's life, who gets which variant, and whether everybody is accounted for."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_communication_dispatch.messages.domain import END, Status
from crm_shared.errors import Conflict, Forbidden
from crm_shared.money import Money

HOLD_OUT = "hold_out"


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


_FOLLOWERS: Mapping[CampaignStatus, frozenset[CampaignStatus]] = {
    CampaignStatus.DRAFT: frozenset({CampaignStatus.IN_REVIEW, CampaignStatus.CANCELLED}),
    CampaignStatus.IN_REVIEW: frozenset({CampaignStatus.APPROVED, CampaignStatus.DRAFT, CampaignStatus.CANCELLED}),
    CampaignStatus.APPROVED: frozenset({CampaignStatus.SCHEDULED, CampaignStatus.CANCELLED}),
    CampaignStatus.SCHEDULED: frozenset(
        {CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.APPROVED, CampaignStatus.CANCELLED}
    ),
    CampaignStatus.RUNNING: frozenset({CampaignStatus.PAUSED, CampaignStatus.FINISHED, CampaignStatus.CANCELLED}),
    CampaignStatus.PAUSED: frozenset({CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
}


class Wants(StrEnum):
    """What a response of one kind becomes."""

    LEAD = "lead"
    TASK = "task"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ResponseRule:
    """What each kind of response to a campaign becomes."""

    click: Wants = Wants.NOTHING
    reply: Wants = Wants.LEAD
    coupon: Wants = Wants.LEAD
    call: Wants = Wants.LEAD

    def wants(self, kind: str) -> Wants:
        """What a response of this kind becomes."""
        return {"click": self.click, "reply": self.reply, "coupon": self.coupon, "call": self.call}[kind]


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the wordings that are compared; the version is pinned when the campaign goes to review."""

    name: str
    template_id: UUID
    template_number: int | None
    weight: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What an author decides."""

    name: str
    purpose: str
    channel: str
    segment_id: UUID
    variants: tuple[Variant, ...]
    variables: Mapping[str, Any]
    hold_out_percent: int
    per_minute: int | None
    expires_after_s: int
    coupons: bool
    response_rule: ResponseRule
    fixed_cost: Decimal
    currency: str | None

    @property
    def own_cost(self) -> Money:
        """What it costs besides its messages."""
        assert self.currency is not None, "a stored plan has the currency of its messages' cost"
        return Money(self.fixed_cost, self.currency)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign; `targeted` is how many its audience includes, and must equal its messages in the end."""

    id: UUID
    plan: Plan
    seed: str
    status: CampaignStatus
    author: str
    approver: str | None
    review_note: str | None
    audience_id: UUID | None
    targeted: int | None
    start_at: datetime | None
    started_at: datetime | None
    planned_at: datetime | None
    released_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


def require_step(campaign: Campaign, following: CampaignStatus) -> None:
    """Refuse a step that the campaign's state doesn't allow.

    Raises:
        Conflict: it can't go there from here.
    """
    if following not in _FOLLOWERS.get(campaign.status, frozenset()):
        raise Conflict(
            f"The campaign is {campaign.status.value}; it can't become {following.value}.", code="campaign_state"
        )


def require_draft(campaign: Campaign) -> None:
    """Refuse to change what others have reviewed.

    Raises:
        Conflict: it is no draft any more.
    """
    if campaign.status is not CampaignStatus.DRAFT:
        raise Conflict(
            f"The campaign is {campaign.status.value}; only a draft can be changed.", code="campaign_not_draft"
        )


def require_other_person(campaign: Campaign, subject: str) -> None:
    """Refuse to let an author approve their own campaign.

    Raises:
        Forbidden: they are the same.
    """
    if subject == campaign.author:
        raise Forbidden("Somebody else than its author must approve a campaign.", code="approver_is_author")


def _chance(seed: str, customer_id: UUID, purpose: bytes) -> float:
    """A number in [0, 1) that is the same whenever it is asked for."""
    digest = hashlib.blake2b(customer_id.bytes, key=seed.encode()[:64], person=purpose, digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def held_out(seed: str, customer_id: UUID, percent: int) -> bool:
    """Whether a customer is left alone so that the campaign's effect can be told."""
    return _chance(seed, customer_id, b"holdout") * 100 < percent


def variant_for(seed: str, customer_id: UUID, variants: Sequence[Variant]) -> Variant:
    """The wording a customer gets, in proportion to the weights, the same on every run."""
    point = _chance(seed, customer_id, b"variant") * sum(variant.weight for variant in variants)
    for variant in variants:
        point -= variant.weight
        if point < 0:
            return variant
    return variants[-1]


def unfinished(states: Mapping[Status, int]) -> int:
    """How many messages have not come to an end."""
    return sum(count for status, count in states.items() if status not in END)


def proven_complete(targeted: int, states: Mapping[Status, int]) -> bool:
    """Whether the end states sum to exactly the targeted customers."""
    return unfinished(states) == 0 and sum(states.values()) == targeted
