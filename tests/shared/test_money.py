from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.errors import Invalid
from crm_shared.money import CurrencyMismatch, Money, Rounding, minor_units

coins = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(["EUR", "JPY", "KWD"])
weights = st.lists(st.one_of(st.integers(0, 10**6), st.decimals(0, 1000, places=3)), min_size=1, max_size=12).filter(
    any
)


def money(count: int, currency: str) -> Money:
    return Money(Decimal(count).scaleb(-minor_units(currency)), currency)


@given(coins, currencies, weights)
def test_shares_sum_to_exactly_what_is_shared(count: int, currency: str, parts: list[Decimal]) -> None:
    whole = money(count, currency)
    shares = whole.allocate(parts)
    assert Money.total(shares, currency).amount == whole.amount
    assert all(share.rounded().amount == share.amount for share in shares)


@given(coins, weights)
def test_each_share_is_within_a_coin_of_its_proportion_and_nothing_goes_to_no_weight(
    count: int, parts: list[Decimal]
) -> None:
    shares = money(count, "EUR").allocate(parts)
    total = sum(Decimal(part) for part in parts)
    for part, share in zip(parts, shares, strict=True):
        assert abs(share.amount - Decimal(count).scaleb(-2) * part / total) < Decimal("0.0100001")
        assert part or not share


@given(coins, coins, currencies)
def test_adding_and_taking_away_are_exact(one: int, other: int, currency: str) -> None:
    a, b = money(one, currency), money(other, currency)
    assert a + b - b == a
    assert a + b == b + a
    assert a + -a == Money.zero(currency)


@given(coins, coins)
def test_currencies_never_meet(one: int, other: int) -> None:
    euro, yen = money(one, "EUR"), money(other, "JPY")
    for act in (lambda: euro + yen, lambda: euro - yen, lambda: euro < yen, lambda: euro <= yen):
        with pytest.raises(CurrencyMismatch):
            act()


@pytest.mark.parametrize(
    ("amount", "currency", "mode", "expected"),
    [
        ("1185.125", "EUR", Rounding.HALF_UP, "1185.13"),  # 9.5 × 124.75; a peer's floats gave .12
        ("0.125", "EUR", Rounding.HALF_EVEN, "0.12"),
        ("0.129", "EUR", Rounding.DOWN, "0.12"),
        ("-0.125", "EUR", Rounding.HALF_UP, "-0.13"),
        ("1.5", "JPY", Rounding.HALF_UP, "2"),
        ("1.0005", "KWD", Rounding.HALF_UP, "1.001"),
    ],
)
def test_rounding_is_to_the_currencys_coin_and_says_how(
    amount: str, currency: str, mode: Rounding, expected: str
) -> None:
    assert Money.of(amount, currency).rounded(mode).amount == Decimal(expected)


@pytest.mark.parametrize(
    ("amount", "currency"), [("NaN", "EUR"), ("1e30", "EUR"), ("x", "EUR"), ("1", "eur"), ("1", "EURO")]
)
def test_what_is_no_money_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(Invalid):
        Money.of(amount, currency)


@pytest.mark.parametrize("bad", [[], [0, 0], [-1, 2]])
def test_shares_need_sensible_weights(bad: list[int]) -> None:
    with pytest.raises(Invalid):
        Money.of("1", "EUR").allocate(bad)


@given(st.floats())
def test_a_float_is_no_amount(amount: float) -> None:
    with pytest.raises(TypeError):
        Money.of(amount, "EUR")  # type: ignore[arg-type]


@given(coins, currencies, st.sampled_from(Rounding), st.integers(0, 6))
def test_rounding_is_to_coins_changes_less_than_one_and_rounds_nothing_twice(
    count: int, currency: str, mode: Rounding, places: int
) -> None:
    exact = Money(Decimal(count).scaleb(-places), currency)
    rounded = exact.rounded(mode)
    assert rounded.rounded(mode) == rounded
    assert -rounded.amount.as_tuple().exponent == minor_units(currency)
    assert abs(rounded.amount - exact.amount) < Decimal(1).scaleb(-minor_units(currency))


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.decimals(-1000, 1000, places=6), currencies)
def test_multiplying_is_exact_and_distributes(one: int, other: int, factor: Decimal, currency: str) -> None:
    a, b = money(one, currency), money(other, currency)
    assert (a + b).times(factor) == a.times(factor) + b.times(factor)
    assert a.times(1) == a


@given(st.text(max_size=12), st.text(max_size=4))
def test_any_text_is_an_amount_or_refused(amount: str, currency: str) -> None:
    try:
        made = Money.of(amount, currency)
    except Invalid:
        return
    assert made.amount.is_finite()
