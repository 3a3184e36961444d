"""Which price book and which price count."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from crm_sales_pipeline.catalogue.domain.pricing import PriceRules
from crm_sales_pipeline.catalogue.domain.products import Price, PriceBook, choose_book, choose_price
from crm_shared.errors import Conflict

DAY = date(2026, 6, 1)


def book(number: int, currency: str = "EUR", channel: str | None = None, **fields: date | None) -> PriceBook:
    return PriceBook(
        id=UUID(int=number),
        name=f"Book {number}",
        rules=PriceRules(currency),
        valid_from=fields.get("valid_from") or date(2026, 1, 1),
        valid_to=fields.get("valid_to"),
        channel=channel,
        approval_discount_percent=None,
        approval_total=None,
        active=True,
        version=1,
    )


def step(unit_price: str, min_quantity: str = "0", valid_from: date = date(2026, 1, 1)) -> Price:
    return Price(UUID(int=1), Decimal(unit_price), Decimal(min_quantity), valid_from, None)


def test_the_channels_own_book_comes_before_the_general_one() -> None:
    books = [book(1), book(2, channel="web")]
    assert choose_book(books, day=DAY, currency=None, channel="web").id == UUID(int=2)
    assert choose_book(books, day=DAY, currency=None, channel="field").id == UUID(int=1)


def test_two_currencies_are_never_chosen_between_silently() -> None:
    books = [book(1), book(2, currency="USD")]
    with pytest.raises(Conflict) as refused:
        choose_book(books, day=DAY, currency=None, channel=None)
    assert refused.value.code == "currency_ambiguous"
    assert choose_book(books, day=DAY, currency="USD", channel=None).currency == "USD"


def test_both_ends_of_a_validity_belong_to_it() -> None:
    one = book(1, valid_from=DAY, valid_to=DAY)
    assert one.valid_on(DAY)
    assert not one.valid_on(date(2026, 6, 2))
    with pytest.raises(Conflict):
        choose_book([one], day=date(2026, 5, 31), currency=None, channel=None)


def test_the_largest_quantity_step_reached_counts_and_then_the_newest_price() -> None:
    prices = [step("10"), step("9", "100"), step("8", "100", date(2026, 5, 1)), step("1", "0", date(2027, 1, 1))]
    assert choose_price(prices, quantity=Decimal(99), day=DAY) == prices[0]
    assert choose_price(prices, quantity=Decimal(100), day=DAY) == prices[2]
    assert choose_price([], quantity=Decimal(1), day=DAY) is None
