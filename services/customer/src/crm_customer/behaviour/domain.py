"""What customers did with their money, and what it sums up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from crm_shared.money import Money, minor_units

LIFECYCLE_WORK = "lifecycle.behaviour-changed"
SEGMENTS_WORK = "segments.customers-touched"
DERIVED_WORK = (LIFECYCLE_WORK, SEGMENTS_WORK)
"""Due work that follows from a change of behaviour; upper slices carry it out, set by set."""


class FactKind(StrEnum):
    """What happened to the money."""

    PURCHASE = "purchase"
    PAYMENT = "payment"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a purchase or return."""

    name: str
    quantity: Decimal
    sku: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class MoneyFact:
    """One purchase, payment or return; `source` and `external_id` name it in the system it comes from."""

    id: UUID
    customer_id: UUID
    kind: FactKind
    source: str
    external_id: str
    occurred_at: datetime
    amount: Money
    quantity: Decimal | None
    order_ref: str | None
    items: tuple[Item, ...]
    recorded_at: datetime

    def says_the_same_as(self, other: "MoneyFact") -> bool:
        """Whether a repeated report really is a repeat."""
        return (self.customer_id, self.kind, self.occurred_at, self.amount, self.order_ref) == (
            other.customer_id,
            other.kind,
            other.occurred_at,
            other.amount,
            other.order_ref,
        )


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """Sums in one currency; amounts of different currencies are never added."""

    currency: str
    purchased: Decimal
    returned: Decimal
    paid: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """What a customer's behaviour sums up to."""

    purchases: int
    returns: int
    payments: int
    first_purchase_at: datetime | None
    last_purchase_at: datetime | None
    last_payment_at: datetime | None
    amounts: tuple[CurrencyTotals, ...]


def exact(amount: Decimal, currency: str) -> Money:
    """An amount as the store holds it, with its currency's decimals and no more than it needs."""
    coins = amount.quantize(Decimal(1).scaleb(-minor_units(currency)))
    return Money(coins if coins == amount else amount.normalize(), currency)


def totals(facts: Sequence[MoneyFact]) -> Totals:
    """The sums of some facts; the store's own sums must agree with it."""
    purchases = [fact for fact in facts if fact.kind is FactKind.PURCHASE]
    payments = [fact for fact in facts if fact.kind is FactKind.PAYMENT]
    currencies = sorted({fact.amount.currency for fact in facts})
    return Totals(
        purchases=len(purchases),
        returns=sum(fact.kind is FactKind.RETURN for fact in facts),
        payments=len(payments),
        first_purchase_at=min((fact.occurred_at for fact in purchases), default=None),
        last_purchase_at=max((fact.occurred_at for fact in purchases), default=None),
        last_payment_at=max((fact.occurred_at for fact in payments), default=None),
        amounts=tuple(
            CurrencyTotals(
                currency,
                purchased=_sum(facts, FactKind.PURCHASE, currency),
                returned=_sum(facts, FactKind.RETURN, currency),
                paid=_sum(facts, FactKind.PAYMENT, currency),
            )
            for currency in currencies
        ),
    )


def _sum(facts: Sequence[MoneyFact], kind: FactKind, currency: str) -> Decimal:
    matching = (fact.amount for fact in facts if fact.kind is kind and fact.amount.currency == currency)
    return Money.total(matching, currency).amount
