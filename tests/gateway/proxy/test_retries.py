import pytest

from crm_gateway.proxy.domain.retries import RetryBudget, may_repeat


@pytest.mark.parametrize(
    ("method", "keyed", "safe"),
    [
        ("GET", False, True),
        ("DELETE", False, True),
        ("PUT", False, True),
        ("POST", False, False),
        ("PATCH", False, False),
        ("POST", True, True),
        ("PATCH", True, True),
    ],
)
def test_only_idempotent_or_keyed_requests_are_repeated(method: str, keyed: bool, safe: bool):
    assert may_repeat(method, keyed=keyed) is safe


def test_retries_are_a_fifth_of_requests_and_no_more():
    budget, retried = RetryBudget(0.2, initial=0), 0
    for _ in range(1_000):
        budget.earn()
        retried += budget.spend()
    assert retried == 200


def test_a_quiet_installation_has_a_few_in_hand():
    budget = RetryBudget(0.2, initial=3)
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]


def test_what_is_saved_up_is_bounded():
    budget = RetryBudget(0.2, initial=0, most=2)
    for _ in range(1_000):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
