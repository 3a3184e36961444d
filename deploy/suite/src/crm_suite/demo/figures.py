"""What the demo counts: shown at its end, and held against expectations by a test."""

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(slots=True)
class Figures:
    """Every number comes from an answer of the gateway; the same seed and size give the same numbers."""

    customers: int = 0
    purchases: int = 0
    turnover: Decimal = Decimal(0)
    states_before: dict[str, int] = field(default_factory=dict[str, int])
    states_after: dict[str, int] = field(default_factory=dict[str, int])
    groups: dict[str, int] = field(default_factory=dict[str, int])
    segment: int = 0
    targeted: int = 0
    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    """Mails in the air when the suite died: they may have arrived, so they are never sent again."""
    suppressed: int = 0
    excluded: int = 0
    campaign_cost: Decimal = Decimal(0)
    clicks: int = 0
    replies: int = 0
    unsubscribed: int = 0
    leads: int = 0
    contacted: int = 0
    converted: int = 0
    quotes: int = 0
    won: int = 0
    lost: int = 0
    orders: int = 0
    paid: int = 0
    revenue: Decimal = Decimal(0)
    interactions: int = 0
    answered: int = 0
    cards: int = 0
    abandoned: int = 0
    tickets: int = 0
    solved: int = 0
    answers: int = 0
    satisfied: int = 0
    scores: dict[int, int] = field(default_factory=dict[int, int])
    timeline_kinds: dict[str, int] = field(default_factory=dict[str, int])

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
