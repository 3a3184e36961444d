"""A lead's score, as a sum of reasons that can be shown."""

from dataclasses import dataclass

from crm_sales_pipeline.leads.domain.leads import Contact, Origin
from crm_sales_pipeline.leads.domain.windows import BuyingWindow

_WINDOW_POINTS = {
    BuyingWindow.NOW: 40,
    BuyingWindow.WITHIN_3_MONTHS: 25,
    BuyingWindow.WITHIN_6_MONTHS: 15,
    BuyingWindow.WITHIN_12_MONTHS: 5,
    BuyingWindow.UNKNOWN: 10,
}
_STATE_POINTS = {"loyal": 25, "repeat": 20, "first_purchase": 15, "won_back": 15, "lapsed": 10, "target": 5}


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score."""

    factor: str
    value: str
    points: int


def score(*, window: BuyingWindow, origin: Origin, contact: Contact, customer_state: str | None) -> tuple[Reason, ...]:
    """The reasons whose points sum to the score (0 to 100)."""
    reasons = [Reason("buying_window", window.value, _WINDOW_POINTS[window])]
    if origin.referrer:
        reasons.append(Reason("referred", "yes", 15))
    if origin.campaign_id is not None:
        reasons.append(Reason("answered_campaign", "yes", 10))
    if contact.phone:
        reasons.append(Reason("telephone_known", "yes", 10))
    if customer_state in _STATE_POINTS:
        reasons.append(Reason("customer_state", customer_state, _STATE_POINTS[customer_state]))
    return tuple(reasons)


def total(reasons: tuple[Reason, ...]) -> int:
    """The score: what the reasons sum to."""
    return sum(reason.points for reason in reasons)
