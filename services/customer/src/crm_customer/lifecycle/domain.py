"""How far a customer has come: `potential → target → first_purchase → repeat → loyal → lapsed → lost`, and `won_back`.

Never having bought, a customer is potential, or a target once somebody went after them. Buying leads up to loyal by the
number of purchases; idleness leads to lapsed and lost, whatever was reached before. Who buys again after that is won
back, until the purchase after the next counts them as before.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crm_shared.errors import FieldError, Invalid

MAX_DAYS = 36_500


class LifecycleState(StrEnum):
    """How far a customer has come."""

    POTENTIAL = "potential"
    TARGET = "target"
    FIRST_PURCHASE = "first_purchase"
    REPEAT = "repeat"
    LOYAL = "loyal"
    LAPSED = "lapsed"
    LOST = "lost"
    WON_BACK = "won_back"


AWAY = frozenset({LifecycleState.LAPSED, LifecycleState.LOST})


@dataclass(frozen=True, slots=True)
class Rules:
    """A tenant's thresholds. `as_of` fixes the present, for data that ended in the past; None means now."""

    repeat_from: int = 2
    loyal_from: int = 5
    lapsed_after_days: int = 180
    lost_after_days: int = 365
    as_of: datetime | None = None
    version: int = 1

    def checked(self) -> "Rules":
        """These rules, if they make sense.

        Raises:
            Invalid: thresholds stand in the wrong order; each is named.
        """
        errors: list[FieldError] = []
        if not 2 <= self.repeat_from <= self.loyal_from:
            errors.append(FieldError("/repeat_from", "out_of_order", "At least 2, and not above loyal_from."))
        if not 1 <= self.lapsed_after_days < self.lost_after_days <= MAX_DAYS:
            errors.append(FieldError("/lost_after_days", "out_of_order", "Lapsing comes before being lost."))
        if errors:
            raise Invalid("The thresholds contradict each other.", code="rules_contradictory", errors=errors)
        return self

    def present(self, now: datetime) -> datetime:
        """The time that counts as now."""
        return self.as_of or now


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the rules look at."""

    purchases: int
    last_purchase_at: datetime | None
    targeted: bool = False


@dataclass(frozen=True, slots=True)
class Previous:
    """Where a customer stood, and after how many purchases they came there."""

    state: LifecycleState
    purchases: int


NEW = Previous(LifecycleState.POTENTIAL, 0)


def evaluate(previous: Previous, behaviour: Behaviour, rules: Rules, *, now: datetime) -> LifecycleState:
    """Where a customer stands by the rules. The store says the same in SQL; a property test compares them."""
    last = behaviour.last_purchase_at
    if behaviour.purchases == 0 or last is None:
        return LifecycleState.TARGET if behaviour.targeted else LifecycleState.POTENTIAL
    present = rules.present(now)
    if last < present - timedelta(days=rules.lost_after_days):
        return LifecycleState.LOST
    if last < present - timedelta(days=rules.lapsed_after_days):
        return LifecycleState.LAPSED
    bought_since = behaviour.purchases > previous.purchases
    back = previous.state in AWAY and bought_since
    if back or (previous.state is LifecycleState.WON_BACK and not bought_since):
        return LifecycleState.WON_BACK
    if behaviour.purchases >= rules.loyal_from:
        return LifecycleState.LOYAL
    return LifecycleState.REPEAT if behaviour.purchases >= rules.repeat_from else LifecycleState.FIRST_PURCHASE


def reason(state: LifecycleState, purchases: int, rules: Rules) -> str:
    """Why, in a sentence."""
    return {
        LifecycleState.POTENTIAL: "has not bought yet",
        LifecycleState.TARGET: "has been approached",
        LifecycleState.FIRST_PURCHASE: "bought for the first time",
        LifecycleState.REPEAT: f"bought {purchases} times",
        LifecycleState.LOYAL: f"bought {purchases} times",
        LifecycleState.LAPSED: f"has not bought for more than {rules.lapsed_after_days} days",
        LifecycleState.LOST: f"has not bought for more than {rules.lost_after_days} days",
        LifecycleState.WON_BACK: "bought again after having been away",
    }[state]
