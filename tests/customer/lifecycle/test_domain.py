from datetime import UTC, datetime, timedelta

import pytest

from crm_customer.lifecycle.domain import NEW, Behaviour, LifecycleState, Previous, Rules, evaluate
from crm_shared.errors import Invalid

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RULES = Rules()
S = LifecycleState


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("previous", "purchases", "last", "expected"),
    [
        (NEW, 1, 1, S.FIRST_PURCHASE),
        (NEW, 2, 1, S.REPEAT),
        (NEW, 5, 1, S.LOYAL),
        (Previous(S.LOYAL, 5), 5, 180, S.LOYAL),
        (Previous(S.LOYAL, 5), 5, 180.01, S.LAPSED),
        (Previous(S.LAPSED, 5), 5, 365.01, S.LOST),
        (Previous(S.LOST, 5), 6, 1, S.WON_BACK),
        (Previous(S.WON_BACK, 6), 6, 9, S.WON_BACK),
        (Previous(S.WON_BACK, 6), 7, 1, S.LOYAL),
        (Previous(S.WON_BACK, 6), 6, 200, S.LAPSED),
        # A late report of an old purchase brings nobody back; nor does a rule that forgives more idleness.
        (Previous(S.LAPSED, 1), 2, 300, S.LAPSED),
        (Previous(S.LAPSED, 2), 2, 170, S.REPEAT),
    ],
)
def test_states(previous: Previous, purchases: int, last: float, expected: LifecycleState) -> None:
    assert evaluate(previous, Behaviour(purchases, days_ago(last)), RULES, now=NOW) is expected


def test_nobody_who_never_bought_is_lost() -> None:
    assert evaluate(NEW, Behaviour(0, None), RULES, now=NOW) is S.POTENTIAL
    assert evaluate(NEW, Behaviour(0, None, targeted=True), RULES, now=NOW) is S.TARGET


def test_a_purchase_after_a_fixed_present_is_recent() -> None:
    rules = Rules(as_of=NOW - timedelta(days=9_000))
    assert evaluate(Previous(S.LOST, 1), Behaviour(2, NOW), rules, now=NOW) is S.WON_BACK


@pytest.mark.parametrize("rules", [Rules(repeat_from=1), Rules(repeat_from=6), Rules(lapsed_after_days=365)])
def test_contradictory_rules_are_refused(rules: Rules) -> None:
    with pytest.raises(Invalid):
        rules.checked()
