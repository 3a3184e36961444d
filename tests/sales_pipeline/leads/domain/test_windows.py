"""Buying windows: nobody is forgotten, and figures start from what we assume."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sales_pipeline.leads.domain.windows import (
    DEFAULT_POLICIES,
    Approach,
    BuyingWindow,
    WindowPolicy,
    WindowRate,
    check_policy,
    treat,
)
from crm_shared.errors import Invalid

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("policy", DEFAULT_POLICIES.values(), ids=lambda policy: policy.window)
def test_every_default_policy_could_have_been_set_by_a_tenant(policy: WindowPolicy) -> None:
    check_policy(policy)


def test_every_window_comes_to_a_seller_in_the_end() -> None:
    for start in BuyingWindow:
        window, seen = start, set[BuyingWindow]()
        while not DEFAULT_POLICIES[window].wants_seller:
            assert window not in seen
            seen.add(window)
            following = DEFAULT_POLICIES[window].resurface_as
            assert following is not None
            window = following


def test_now_is_a_seller_at_once_with_a_deadline_and_nurture_is_neither() -> None:
    at_once = treat(DEFAULT_POLICIES[BuyingWindow.NOW], now=NOW)
    assert (at_once.wants_seller, at_once.first_contact_due_at) == (True, NOW + timedelta(minutes=30))
    later = treat(DEFAULT_POLICIES[BuyingWindow.WITHIN_12_MONTHS], now=NOW)
    assert (later.wants_seller, later.first_contact_due_at) == (False, None)
    assert later.resurface_at == NOW + timedelta(days=270)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"approach": Approach.NURTURE}, "lead_forgotten"),
        ({"resurface_after": timedelta(days=3)}, "resurfacing_incomplete"),
        ({"resurface_after": timedelta(days=3), "resurface_as": BuyingWindow.NOW}, "resurfacing_circular"),
    ],
)
def test_a_policy_that_forgets_or_circles_is_refused(change: dict[str, object], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_policy(replace(DEFAULT_POLICIES[BuyingWindow.NOW], **change))  # type: ignore[arg-type]
    assert refused.value.code == code


@given(prior=st.decimals("0.01", "0.5", places=2), decided=st.integers(0, 10_000), share=st.floats(0, 1))
def test_a_rate_lies_between_what_was_assumed_and_what_was_seen(prior: Decimal, decided: int, share: float) -> None:
    converted = int(decided * share)
    rate = WindowRate(BuyingWindow.NOW, prior, 20, decided, converted).rate
    seen = Decimal(converted) / decided if decided else prior
    step = Decimal("0.0001")
    assert min(prior, seen) - step <= rate <= max(prior, seen) + step


def test_an_unheard_of_window_is_unknown() -> None:
    assert BuyingWindow.read("next_decade") is BuyingWindow.UNKNOWN
    assert BuyingWindow.read(None) is BuyingWindow.UNKNOWN
    assert BuyingWindow.read("now") is BuyingWindow.NOW
