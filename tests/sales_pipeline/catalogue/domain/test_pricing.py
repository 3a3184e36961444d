"""Money goldens and the algebra of pricing; no cent appears or disappears."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sales_pipeline.catalogue.domain.pricing import (
    Discount,
    PriceInput,
    PriceRules,
    TaxRounding,
    price,
    split,
)
from crm_shared.errors import Invalid
from crm_shared.money import Rounding, minor_units

D = Decimal
EUR = PriceRules("EUR")


def line(quantity: str, unit_price: str, tax_rate: str = "0", discount: str = "0") -> PriceInput:
    return PriceInput(D(quantity), D(unit_price), D(tax_rate), D(discount))


class TestGoldens:
    """Figures that peers got wrong by a cent, from their issue trackers."""

    @pytest.mark.parametrize(("net", "total"), [("2314.82", "2500.01"), ("2314.81", "2499.99")])
    def test_eight_percent_on_a_net_price(self, net: str, total: str) -> None:
        assert price([line("1", net, "0.08")], EUR).total == D(total)

    def test_entering_the_gross_reaches_the_2500_that_no_net_reaches(self) -> None:
        priced = price([line("1", "2500.00", "0.08")], PriceRules("EUR", prices_include_tax=True))
        assert (priced.total, priced.net, priced.tax) == (D("2500.00"), D("2314.81"), D("185.19"))

    def test_nine_and_a_half_times_124_75_is_rounded_as_the_price_book_says(self) -> None:
        half = [line("9.5", "124.75")]
        assert price(half, EUR).total == D("1185.13")
        assert price(half, PriceRules("EUR", rounding=Rounding.HALF_EVEN)).total == D("1185.12")

    def test_tax_rounded_per_line_and_per_document_differ_and_both_are_said(self) -> None:
        three = [line("1", "0.99", "0.19")] * 3
        assert price(three, EUR).tax == D("0.57")
        assert price(three, PriceRules("EUR", tax_rounding=TaxRounding.PER_DOCUMENT)).tax == D("0.56")

    def test_a_document_discount_that_does_not_divide_is_split_to_the_cent(self) -> None:
        priced = price([line("1", "10.00")] * 3, EUR, discount=Discount(amount=D("10.00")))
        assert [one.document_discount for one in priced.lines] == [D("3.34"), D("3.33"), D("3.33")]
        assert priced.total == D("20.00")

    @pytest.mark.parametrize(("currency", "total"), [("JPY", "333"), ("KWD", "333.333"), ("EUR", "333.33")])
    def test_a_coin_is_as_small_as_its_currency_says(self, currency: str, total: str) -> None:
        assert price([line("1", "333.3333")], PriceRules(currency)).total == D(total)

    def test_a_discount_larger_than_the_lines_is_refused(self) -> None:
        with pytest.raises(Invalid) as refused:
            price([line("1", "10.00")], EUR, discount=Discount(amount=D("10.01")))
        assert refused.value.code == "discount_too_large"

    def test_a_gift_costs_nothing_and_breaks_nothing(self) -> None:
        priced = price([line("1", "0", "0.2")], EUR, discount=Discount(percent=D(50)))
        assert (priced.total, priced.discount_percent) == (D(0), D(0))

    def test_line_and_document_discounts_add_up_to_what_was_given_away(self) -> None:
        priced = price([line("2", "50.00", discount="10")], EUR, discount=Discount(percent=D(10)))
        assert (priced.listed, priced.discount, priced.total) == (D("100.00"), D("19.00"), D("81.00"))
        assert priced.discount_percent == D(19)


prices = st.decimals(min_value=0, max_value=9_999, places=3)
lines = st.lists(
    st.builds(
        PriceInput,
        quantity=st.decimals(min_value="0.01", max_value=99, places=2),
        unit_price=prices,
        tax_rate=st.sampled_from([D("0"), D("0.07"), D("0.19"), D("0.081")]),
        discount_percent=st.sampled_from([D(0), D("2.5"), D(10), D(100)]),
    ),
    min_size=1,
    max_size=8,
)
rules = st.builds(
    PriceRules,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    prices_include_tax=st.booleans(),
    rounding=st.sampled_from(Rounding),
    tax_rounding=st.sampled_from(TaxRounding),
)
percents = st.sampled_from([D(0), D("0.1"), D("33.3333"), D(100)])


@given(lines=lines, rules=rules, percent=percents)
def test_totals_are_sums_of_whole_coins_that_explain_every_line(
    lines: list[PriceInput], rules: PriceRules, percent: Decimal
) -> None:
    priced = price(lines, rules, discount=Discount(percent=percent))
    coin = D(1).scaleb(-minor_units(rules.currency))
    for one in priced.lines:
        base = one.listed - one.line_discount - one.document_discount
        assert base == (one.gross if rules.prices_include_tax else one.net)
        assert all(amount % coin == 0 for amount in (one.net, one.tax, one.document_discount))
        assert base >= 0
    assert priced.total == sum(one.gross for one in priced.lines)
    assert sum(one.document_discount for one in priced.lines) <= sum(one.listed for one in priced.lines)


@given(
    cents=st.integers(min_value=0, max_value=10**9),
    weights=st.lists(st.decimals(min_value=0, max_value=10_000, places=2), min_size=1, max_size=12).filter(any),
)
def test_parts_sum_to_the_whole_and_stay_within_a_cent_of_their_share(cents: int, weights: list[Decimal]) -> None:
    amount = D(cents).scaleb(-2)
    parts = split(amount, weights, "EUR")
    assert sum(parts) == amount
    total = sum(weights)
    assert all(abs(part - amount * weight / total) < D("0.01") for part, weight in zip(parts, weights, strict=True))
