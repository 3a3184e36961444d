"""What a list of lines costs: the one place where quotes and orders turn quantities and prices into money.

Amounts are Decimal in one currency. Every total is the sum of its lines, and what is split over lines (document
discounts, document taxes) is split by largest remainder, so no cent appears or disappears.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from crm_shared.errors import Invalid
from crm_shared.money import Money, Rounding

ZERO = Decimal(0)
HUNDRED = Decimal(100)


class TaxRounding(StrEnum):
    """Whether tax is rounded on each line or once for each tax rate of the document."""

    PER_LINE = "per_line"
    PER_DOCUMENT = "per_document"


@dataclass(frozen=True, slots=True)
class PriceRules:
    """The terms a price book sets for every document priced with it; documents keep a copy of them.

    How half a coin is decided is always said here, never left to a library's default.
    """

    currency: str
    prices_include_tax: bool = False
    rounding: Rounding = Rounding.HALF_UP
    tax_rounding: TaxRounding = TaxRounding.PER_LINE

    def round(self, amount: Decimal) -> Decimal:
        """The amount in whole minor units of the currency (yen has none, dinars have three)."""
        return Money(amount, self.currency).rounded(self.rounding).amount


@dataclass(frozen=True, slots=True)
class PriceInput:
    """One line to price. `tax_rate` is a fraction (0.19); `discount_percent` is 0 to 100."""

    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    discount_percent: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Discount:
    """A discount on the whole document: a percentage, or an amount, or (the default) none."""

    percent: Decimal = ZERO
    amount: Decimal = ZERO


NO_DISCOUNT = Discount()


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One priced line; `listed - line_discount - document_discount` is the net or, with tax included, the gross."""

    listed: Decimal
    line_discount: Decimal
    document_discount: Decimal
    net: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class Priced:
    """A priced document: totals are sums of the lines, by construction."""

    lines: tuple[PricedLine, ...]
    currency: str

    @property
    def listed(self) -> Decimal:
        return sum((line.listed for line in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        return sum((line.line_discount + line.document_discount for line in self.lines), ZERO)

    @property
    def net(self) -> Decimal:
        return sum((line.net for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    @property
    def discount_percent(self) -> Decimal:
        """What was given away of the list price in percent (0 for a document worth nothing)."""
        return self.discount * HUNDRED / self.listed if self.listed else ZERO


def price(lines: Sequence[PriceInput], rules: PriceRules, *, discount: Discount = NO_DISCOUNT) -> Priced:
    """Price the lines; the document discount is split over them in proportion to what each costs before it."""
    bare = [_before_document_discount(line, rules) for line in lines]
    before = [line.listed - line.line_discount for line in bare]
    shares = split(_document_discount(sum(before, ZERO), discount, rules), before, rules.currency)
    discounted = [replace(line, document_discount=share) for line, share in zip(bare, shares, strict=True)]
    return Priced(lines=tuple(_taxed(discounted, [line.tax_rate for line in lines], rules)), currency=rules.currency)


def split(amount: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """The amount in parts proportional to the weights that sum to it exactly (largest remainder)."""
    if not amount:
        return [ZERO for _ in weights]
    return [part.amount for part in Money(amount, currency).allocate(list(weights))]


def _before_document_discount(line: PriceInput, rules: PriceRules) -> PricedLine:
    listed = rules.round(line.quantity * line.unit_price)
    line_discount = rules.round(listed * line.discount_percent / HUNDRED)
    return PricedLine(listed=listed, line_discount=line_discount, document_discount=ZERO, net=ZERO, tax=ZERO)


def _document_discount(before: Decimal, discount: Discount, rules: PriceRules) -> Decimal:
    amount = rules.round(before * discount.percent / HUNDRED) + rules.round(discount.amount)
    if amount > before:
        raise Invalid.field(
            "/discount", "The discount is larger than what the lines cost together.", code="discount_too_large"
        )
    return amount


def _taxed(lines: Sequence[PricedLine], rates: Sequence[Decimal], rules: PriceRules) -> list[PricedLine]:
    bases = [line.listed - line.line_discount - line.document_discount for line in lines]
    if rules.tax_rounding is TaxRounding.PER_LINE:
        taxes = [_tax(base, rate, rules) for base, rate in zip(bases, rates, strict=True)]
    else:
        taxes = _taxes_per_document(bases, rates, rules)
    return [
        replace(line, net=base - tax if rules.prices_include_tax else base, tax=tax)
        for line, base, tax in zip(lines, bases, taxes, strict=True)
    ]


def _taxes_per_document(bases: Sequence[Decimal], rates: Sequence[Decimal], rules: PriceRules) -> list[Decimal]:
    taxes = [ZERO] * len(bases)
    for rate in sorted(set(rates)):
        positions = [index for index, other in enumerate(rates) if other == rate]
        weights = [bases[index] for index in positions]
        parts = split(_tax(sum(weights, ZERO), rate, rules), weights, rules.currency)
        for index, part in zip(positions, parts, strict=True):
            taxes[index] = part
    return taxes


def _tax(base: Decimal, rate: Decimal, rules: PriceRules) -> Decimal:
    """The tax on a base or, when prices include it, the tax inside: gross stays what the customer was told."""
    if rules.prices_include_tax:
        return base - rules.round(base / (1 + rate))
    return rules.round(base * rate)
