from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from crm_customer.value.domain import ValueGroup, fifths, group_of

VALUES = st.lists(st.integers(0, 30), min_size=1, max_size=200)


@given(VALUES)
def test_equal_values_have_equal_scores_and_more_is_never_less(values: list[int]) -> None:
    scores = dict(zip(values, fifths(values), strict=True))
    assert [scores[value] for value in values] == fifths(values)
    ordered = [scores[value] for value in sorted(set(values))]
    assert ordered == sorted(ordered)
    assert ordered[0] == 1
    assert max(ordered) <= 5


@given(VALUES, st.randoms())
def test_the_order_of_customers_does_not_matter(values: list[int], random: object) -> None:
    turned = list(reversed(values))
    assert fifths(turned) == list(reversed(fifths(values)))


def test_distinct_values_fall_into_fifths_of_the_same_size() -> None:
    assert Counter(fifths(list(range(1_000)))) == dict.fromkeys(range(1, 6), 200)


def test_a_large_tie_gets_the_lowest_score_it_could() -> None:
    assert fifths([1] * 60 + [2] * 40) == [1] * 60 + [4] * 40


def test_every_combination_belongs_to_a_group() -> None:
    combinations = [(r, f, m) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    assert {group_of(*scores) for scores in combinations} == set(ValueGroup)
    assert group_of(1, 5, 5) is ValueGroup.VALUABLE_LAPSING
