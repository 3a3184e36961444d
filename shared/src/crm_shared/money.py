"""Money: an exact decimal amount with its currency; amounts of different currencies never meet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum

from crm_shared.errors import Invalid

# ISO 4217 minor units that differ from two decimals.
_EXPONENTS = (
    dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    )
    | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
    | {"CLF": 4, "UYW": 4}
)
_MAX_AMOUNT = Decimal(10) ** 15


class CurrencyMismatch(Invalid):
    """Two amounts of different currencies were to be added or compared."""

    default_code = "currency_mismatch"


class Rounding(StrEnum):
    """How a fraction of the smallest coin is settled; always stated, never assumed."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    DOWN = "down"


_MODES = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.HALF_EVEN: ROUND_HALF_EVEN, Rounding.DOWN: ROUND_DOWN}


def minor_units(currency: str) -> int:
    """How many decimals the currency's smallest coin has (ISO 4217)."""
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency (ISO 4217, three capital letters); negative and fractions of a coin may be."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if len(self.currency) != 3 or not (
            self.currency.isascii() and self.currency.isalpha() and self.currency.isupper()
        ):
            raise Invalid("A currency is three capital letters, such as EUR.", code="currency_malformed")
        if not self.amount.is_finite() or abs(self.amount) >= _MAX_AMOUNT:
            raise Invalid("An amount is a finite number below 10^15.", code="amount_out_of_range")

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> "Money":
        """Money from text, a whole number or a decimal; a float has lost its exact amount before it comes here."""
        if isinstance(amount, float):
            raise TypeError("an amount is never a float")
        try:
            return cls(Decimal(amount), currency)
        except InvalidOperation:
            raise Invalid(f"{amount!r} is not an amount.", code="amount_malformed") from None

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Nothing, in this currency."""
        return cls(Decimal(0), currency)

    @classmethod
    def total(cls, parts: Iterable["Money"], currency: str) -> "Money":
        """The sum of `parts`, which must all be of `currency`."""
        result = cls.zero(currency)
        for part in parts:
            result = result + part
        return result

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"Amounts in {self.currency} and {other.currency} cannot be combined.")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __bool__(self) -> bool:
        return bool(self.amount)

    def times(self, factor: Decimal | int) -> "Money":
        """This amount multiplied, not yet rounded."""
        return Money(self.amount * factor, self.currency)

    def rounded(self, mode: Rounding = Rounding.HALF_UP) -> "Money":
        """This amount in whole smallest coins."""
        return Money(
            self.amount.quantize(Decimal(1).scaleb(-minor_units(self.currency)), rounding=_MODES[mode]), self.currency
        )

    def allocate(self, weights: Sequence[Decimal | int]) -> list["Money"]:
        """Shares in proportion to `weights` that sum to exactly this amount.

        The amount must be in whole smallest coins. What division leaves over goes coin by coin to the largest
        remainders, earlier shares first among equals (Hamilton's method).

        Raises:
            Invalid: no weight is positive, one is negative, or the amount holds fractions of a coin.
        """
        if any(weight < 0 for weight in weights) or not any(weights):
            raise Invalid("Shares need weights that are not negative and not all zero.", code="weights_invalid")
        if self.rounded(Rounding.DOWN).amount != self.amount:
            raise Invalid("Only an amount in whole coins can be shared out.", code="amount_not_in_coins")
        scale = minor_units(self.currency)
        coins = int(abs(self.amount).scaleb(scale))
        fractions = [Decimal(weight).as_integer_ratio() for weight in weights]
        denominator = 1
        for _, below in fractions:
            denominator = denominator * below
        whole = [above * (denominator // below) for above, below in fractions]
        total = sum(whole)
        shares = [coins * weight // total for weight in whole]
        remainders = [coins * weight % total for weight in whole]
        for index in sorted(range(len(whole)), key=lambda i: -remainders[i])[: coins - sum(shares)]:
            shares[index] += 1
        sign = -1 if self.amount < 0 else 1
        return [Money(Decimal(sign * share).scaleb(-scale), self.currency) for share in shares]
