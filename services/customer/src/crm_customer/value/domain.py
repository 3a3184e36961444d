"""What a customer is worth: recency, frequency and monetary value as fifths of all who bought.

The tie rule: a value's score is the fifth in which the first of all equal values stands, `1 + ⌊5·(rank − 1) ÷ n⌋` with
rank counted from the lowest. So equal values always get equal scores, whatever else distinguishes the customers, and a
large group of equal values (half of all customers buy once) gets the lowest score it could get.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

SCORES = 5


class Comparable(Protocol):
    """Something that can be ranked."""

    def __lt__(self, other: "Comparable", /) -> bool:
        """Whether it ranks lower."""
        ...


V = TypeVar("V", bound=Comparable)


class Dimension(StrEnum):
    """One of the three scores."""

    RECENCY = "recency"
    FREQUENCY = "frequency"
    MONETARY = "monetary"


class ValueGroup(StrEnum):
    """Groups of scores that call for the same treatment."""

    CHAMPIONS = "champions"
    VALUABLE_LAPSING = "valuable_lapsing"
    LOYAL = "loyal"
    BIG_SPENDERS = "big_spenders"
    PROMISING = "promising"
    NEEDS_ATTENTION = "needs_attention"
    HIBERNATING = "hibernating"


@dataclass(frozen=True, slots=True)
class Rating:
    """A customer's scores and what they rest on."""

    customer_id: UUID
    recency: int
    frequency: int
    monetary: int
    purchases: int
    last_purchase_at: datetime
    total: Decimal
    currency: str

    @property
    def group(self) -> ValueGroup:
        """The named group of these scores."""
        return group_of(self.recency, self.frequency, self.monetary)


def fifths(values: Sequence[V]) -> list[int]:
    """The score of each value by the tie rule; the store's window functions say the same."""
    ranked = sorted(range(len(values)), key=lambda index: values[index])
    scores = [0] * len(values)
    rank = 0
    for position, index in enumerate(ranked):
        if position and values[ranked[position - 1]] < values[index]:
            rank = position
        scores[index] = 1 + SCORES * rank // len(values)
    return scores


def group_of(recency: int, frequency: int, monetary: int) -> ValueGroup:
    """The first group whose description fits."""
    if recency >= 4 and frequency >= 4 and monetary >= 4:
        return ValueGroup.CHAMPIONS
    if recency <= 2 and (frequency >= 4 or monetary >= 4):
        return ValueGroup.VALUABLE_LAPSING
    if frequency >= 4:
        return ValueGroup.LOYAL
    if monetary >= 4:
        return ValueGroup.BIG_SPENDERS
    if recency >= 4:
        return ValueGroup.PROMISING
    return ValueGroup.NEEDS_ATTENTION if recency == 3 else ValueGroup.HIBERNATING
