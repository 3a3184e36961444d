"""What a campaign returned: cash received against expenses approved, never bookings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from crm_shared.errors import Conflict, Forbidden, Invalid
from crm_shared.money import Money


class ExpenseState(StrEnum):
    """Whether an expense counts."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Expense:
    """Money spent on a campaign or a deal."""

    id: UUID
    campaign_id: UUID | None
    deal_id: UUID | None
    amount: Money
    description: str
    source: str
    state: ExpenseState
    incurred_at: datetime
    created_by: str
    decided_by: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """What we know of a campaign from communication-dispatch."""

    id: UUID
    name: str | None
    purpose: str | None
    started_at: datetime | None
    finished_at: datetime | None
    targeted: int | None
    accepted: int | None


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """How far a campaign's leads came. Hours are from capture to first contact."""

    leads: int
    followed_up: int
    mean_hours_to_contact: Decimal | None
    median_hours_to_contact: Decimal | None
    deals: int
    deals_won: int
    orders: int

    @property
    def followed_up_share(self) -> Decimal | None:
        """What part of the leads was contacted; None without leads, which is not zero."""
        return (Decimal(self.followed_up) / self.leads).quantize(Decimal("0.0001")) if self.leads else None


@dataclass(frozen=True, slots=True)
class Return:
    """Money of one currency. `ratio` is received ÷ cost, None where nothing was spent in this currency."""

    received: Money
    cost: Money

    @property
    def ratio(self) -> Decimal | None:
        return (self.received.amount / self.cost.amount).quantize(Decimal("0.01")) if self.cost.amount > 0 else None


@dataclass(frozen=True, slots=True)
class CampaignReturn:
    """One campaign's report; one row per currency, because currencies are never summed."""

    campaign: Campaign
    counts: CampaignCounts
    returns: tuple[Return, ...]


def returns(received: Mapping[str, Decimal], cost: Mapping[str, Decimal]) -> tuple[Return, ...]:
    """Receipts and costs side by side for each currency that has either."""
    return tuple(
        Return(
            received=Money(received.get(currency, Decimal(0)), currency).rounded(),
            cost=Money(cost.get(currency, Decimal(0)), currency).rounded(),
        )
        for currency in sorted(received.keys() | cost.keys())
    )


def check_expense(*, campaign_id: UUID | None, deal_id: UUID | None, amount: Money) -> None:
    """Refuse an expense that belongs to nothing or isn't one."""
    if (campaign_id is None) == (deal_id is None):
        raise Invalid.field("/campaign_id", "An expense belongs to a campaign or to a deal.", code="expense_target")
    if amount.amount <= 0:
        raise Invalid.field("/amount", "An expense is more than nothing.", code="amount_not_positive")


def check_decidable(expense: Expense, *, subject: str) -> None:
    """Refuse to decide twice, or on one's own expense."""
    if expense.state is not ExpenseState.PROPOSED:
        raise Conflict(f"This expense is already {expense.state}.", code=f"expense_{expense.state}")
    if expense.created_by == subject:
        raise Forbidden("Whoever spent the money cannot approve it.", code="approval_own_expense")


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """How many records reached a stage."""

    name: str
    count: int
