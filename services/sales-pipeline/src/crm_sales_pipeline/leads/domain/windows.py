"""Buying windows: when somebody means to buy, and what we do about it until then."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from crm_shared.errors import Invalid


class BuyingWindow(StrEnum):
    """How soon the customer means to buy."""

    NOW = "now"
    WITHIN_3_MONTHS = "within_3_months"
    WITHIN_6_MONTHS = "within_6_months"
    WITHIN_12_MONTHS = "within_12_months"
    UNKNOWN = "unknown"

    @classmethod
    def read(cls, text: str | None) -> "BuyingWindow":
        """The window somebody else named; a name we don't know is `unknown`, not an error."""
        return cls(text) if text in _NAMES else cls.UNKNOWN


_NAMES = frozenset(window.value for window in BuyingWindow)


class Approach(StrEnum):
    """What a window asks of us."""

    SELLER_AT_ONCE = "seller_at_once"
    SELLER_PROMPT = "seller_prompt"
    SEND_MATERIAL = "send_material"
    NURTURE = "nurture"


_WITH_SELLER = (Approach.SELLER_AT_ONCE, Approach.SELLER_PROMPT)


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """How leads of one window are treated.

    `first_contact_within` starts a clock when a seller is to act; `resurface_after` brings the lead back by itself,
    then in the window `resurface_as`. `prior_rate` is the share expected to convert before there is data, worth
    `prior_weight` observed leads.
    """

    window: BuyingWindow
    approach: Approach
    first_contact_within: timedelta | None
    resurface_after: timedelta | None
    resurface_as: BuyingWindow | None
    prior_rate: Decimal
    prior_weight: int

    @property
    def wants_seller(self) -> bool:
        return self.approach in _WITH_SELLER


# The 10 % for three and 4 % for twelve months are the design's priors; those between and around are our assumption,
# as are the hours. A tenant replaces any of it.
DEFAULT_POLICIES: Final = {
    policy.window: policy
    for policy in (
        WindowPolicy(
            window=BuyingWindow.NOW,
            approach=Approach.SELLER_AT_ONCE,
            first_contact_within=timedelta(minutes=30),
            resurface_after=None,
            resurface_as=None,
            prior_rate=Decimal("0.25"),
            prior_weight=20,
        ),
        WindowPolicy(
            window=BuyingWindow.WITHIN_3_MONTHS,
            approach=Approach.SELLER_PROMPT,
            first_contact_within=timedelta(days=2),
            resurface_after=timedelta(days=60),
            resurface_as=BuyingWindow.NOW,
            prior_rate=Decimal("0.10"),
            prior_weight=20,
        ),
        WindowPolicy(
            window=BuyingWindow.WITHIN_6_MONTHS,
            approach=Approach.SEND_MATERIAL,
            first_contact_within=None,
            resurface_after=timedelta(days=90),
            resurface_as=BuyingWindow.WITHIN_3_MONTHS,
            prior_rate=Decimal("0.07"),
            prior_weight=20,
        ),
        WindowPolicy(
            window=BuyingWindow.WITHIN_12_MONTHS,
            approach=Approach.NURTURE,
            first_contact_within=None,
            resurface_after=timedelta(days=270),
            resurface_as=BuyingWindow.WITHIN_3_MONTHS,
            prior_rate=Decimal("0.04"),
            prior_weight=20,
        ),
        WindowPolicy(
            window=BuyingWindow.UNKNOWN,
            approach=Approach.SELLER_PROMPT,
            first_contact_within=timedelta(days=1),
            resurface_after=None,
            resurface_as=None,
            prior_rate=Decimal("0.05"),
            prior_weight=20,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Treatment:
    """What a policy means for one lead from now on."""

    wants_seller: bool
    first_contact_due_at: datetime | None
    resurface_at: datetime | None


def treat(policy: WindowPolicy, *, now: datetime) -> Treatment:
    """What the policy asks for a lead that shows up (again) now."""
    within = policy.first_contact_within if policy.wants_seller else None
    return Treatment(
        wants_seller=policy.wants_seller,
        first_contact_due_at=now + within if within is not None else None,
        resurface_at=now + policy.resurface_after if policy.resurface_after is not None else None,
    )


def check_policy(policy: WindowPolicy) -> None:
    """Refuse a policy under which a lead would be forgotten or never come to rest."""
    if not policy.wants_seller and policy.resurface_after is None:
        message = "Without a seller, the lead must resurface, or nobody would ever look at it again."
        raise Invalid.field("/resurface_after_days", message, code="lead_forgotten")
    if (policy.resurface_after is None) != (policy.resurface_as is None):
        message = "Say both when the lead resurfaces and in which window, or neither."
        raise Invalid.field("/resurface_as", message, code="resurfacing_incomplete")
    if policy.resurface_as is policy.window:
        message = "A lead resurfaces in a nearer window than the one it was in."
        raise Invalid.field("/resurface_as", message, code="resurfacing_circular")


@dataclass(frozen=True, slots=True)
class WindowRate:
    """How many leads captured in a window converted. Decided leads are the converted and the dead ones."""

    window: BuyingWindow
    prior_rate: Decimal
    prior_weight: int
    decided: int
    converted: int

    @property
    def rate(self) -> Decimal:
        """The expected share of conversions: the mean of the beta distribution that prior and data give together."""
        converted = self.prior_rate * self.prior_weight + self.converted
        return (converted / (self.prior_weight + self.decided)).quantize(Decimal("0.0001"))
