from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crm_customer.behaviour.domain import FactKind, MoneyFact, exact, totals
from crm_shared.ids import new_id
from crm_shared.money import Money


def fact(kind: FactKind, amount: str, currency: str, day: int) -> MoneyFact:
    at = datetime(2026, 1, day, tzinfo=UTC)
    return MoneyFact(new_id(), new_id(), kind, "s", str(new_id()), at, Money.of(amount, currency), None, None, (), at)


def test_currencies_are_never_added() -> None:
    found = totals(
        [
            fact(FactKind.PURCHASE, "5.00", "EUR", 1),
            fact(FactKind.PURCHASE, "700", "JPY", 2),
            fact(FactKind.RETURN, "2.00", "EUR", 3),
            fact(FactKind.PAYMENT, "3.00", "EUR", 4),
        ]
    )
    assert (found.purchases, found.returns, found.payments) == (2, 1, 1)
    assert found.last_purchase_at == datetime(2026, 1, 2, tzinfo=UTC)
    amounts = {each.currency: (each.purchased, each.returned, each.paid) for each in found.amounts}
    assert amounts == {"EUR": (Decimal(5), Decimal(2), Decimal(3)), "JPY": (Decimal(700), Decimal(0), Decimal(0))}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [("12.500000", "EUR", "12.50"), ("700.000000", "JPY", "700"), ("1.234500", "EUR", "1.2345"), ("0", "EUR", "0.00")],
)
def test_amounts_show_their_currencys_decimals(amount: str, currency: str, shown: str) -> None:
    assert format(exact(Decimal(amount), currency).amount, "f") == shown
