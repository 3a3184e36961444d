"""A deal, its probability, its steps through a pipeline, and what it adds to the forecast."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from crm_sales_pipeline.pipelines.domain import Canonical, GuardResult, Stage
from crm_shared.errors import Conflict, FieldError, Invalid
from crm_shared.money import Money

HUNDRED = Decimal(100)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Probability:
    """Three opinions in percent, side by side; None is no opinion, which zero is not."""

    stage: Decimal | None = None
    manual: Decimal | None = None
    model: Decimal | None = None

    def effective(self, canonical: Canonical) -> Decimal | None:
        """What counts: won is 100 and lost is 0 whatever anyone thought; else a person's, the model's, the stage's.

        Derived whenever it is asked for and never stored, so that no move can leave an old value behind.
        """
        if canonical is Canonical.WON:
            return HUNDRED
        if canonical is Canonical.LOST:
            return ZERO
        for opinion in (self.manual, self.model, self.stage):
            if opinion is not None:
                return opinion
        return None


@dataclass(frozen=True, slots=True)
class Deal:
    """A chance to sell. `fields` are the tenant's own; `orders` counts the orders that came of it."""

    id: UUID
    pipeline_id: UUID
    stage: str
    canonical: Canonical
    name: str
    customer_id: UUID
    contact_id: UUID | None
    owner_id: UUID | None
    partner: str | None
    channel: str | None
    source: str | None
    campaign_id: UUID | None
    lead_id: UUID | None
    amount: Money | None
    expected_close_on: date | None
    probability: Probability
    fields: Mapping[str, str]
    opened_at: datetime
    stage_entered_at: datetime
    closed_at: datetime | None
    lost_reason: str | None
    competitor: str | None
    orders: int
    version: int

    @property
    def effective_probability(self) -> Decimal | None:
        return self.probability.effective(self.canonical)

    def guard_values(self) -> dict[str, object]:
        """What the stages' guards may look at."""
        own = {f"field:{name}": value for name, value in self.fields.items()}
        return {
            **own,
            "customer_id": self.customer_id,
            "contact_id": self.contact_id,
            "owner_id": self.owner_id,
            "amount": self.amount,
            "expected_close_on": self.expected_close_on,
            "probability": self.effective_probability,
        }


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a deal, with how long it stood in the stage it left."""

    id: UUID
    deal_id: UUID
    from_stage: str | None
    to_stage: str
    from_canonical: Canonical | None
    to_canonical: Canonical
    actor: str
    guards: tuple[GuardResult, ...]
    dwell_s: int | None
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a deal was lost, and to whom if anyone."""

    reason: str
    competitor: str | None = None


def check_guards(stage: Stage, guards: Iterable[GuardResult]) -> None:
    """Refuse entry while a guard of the stage fails.

    Raises:
        Conflict: naming each field that is missing.
    """
    missing = [result.guard.partition(":")[2] for result in guards if not result.passed]
    if missing:
        errors = [
            FieldError(f"/{name.removeprefix('field:')}", "required", f"{stage.name} needs {name}.") for name in missing
        ]
        raise Conflict(
            f"{stage.name} cannot be entered yet; missing: {', '.join(missing)}.", code="guard_failed", errors=errors
        )


def check_loss(deal: Deal, to: Stage, loss: Loss | None) -> None:
    """A loss has a reason, nothing else has, and a deal that brought an order was not lost."""
    if to.canonical is not Canonical.LOST:
        if loss is not None:
            raise Invalid.field("/reason", "Only a lost deal has a reason and a competitor.", code="reason_unexpected")
        return
    if loss is None or not loss.reason:
        raise Invalid.field("/reason", "Say why the deal was lost.", code="reason_required")
    if deal.orders:
        raise Conflict("This deal has an order; it cannot be lost.", code="deal_has_order")


def moved(deal: Deal, to: Stage, *, loss: Loss | None, now: datetime) -> Deal:
    """The deal in its new stage.

    Moving between two stages of the same closed type keeps the closing time; leaving a closed type clears time, reason
    and competitor.
    """
    keeps_closing = to.canonical.is_closed and to.canonical is deal.canonical
    lost = to.canonical is Canonical.LOST
    return replace(
        deal,
        stage=to.key,
        canonical=to.canonical,
        probability=replace(deal.probability, stage=to.probability),
        stage_entered_at=now,
        closed_at=(deal.closed_at if keeps_closing else now) if to.canonical.is_closed else None,
        lost_reason=loss.reason if lost and loss is not None else None,
        competitor=loss.competitor if lost and loss is not None else None,
    )


def dwell_seconds(deal: Deal, now: datetime) -> int:
    """How long the deal has stood in its present stage, not since it began."""
    return max(0, int((now - deal.stage_entered_at).total_seconds()))


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """Deals of one currency and type that share a probability, as the database groups them."""

    currency: str
    canonical: Canonical
    probability: Decimal | None
    deals: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """One currency's outlook. Lost deals are in none of the figures; on-hold deals only in their own."""

    currency: str
    open_deals: int
    open_amount: Money
    weighted_amount: Money
    without_probability: int
    on_hold_amount: Money
    won_amount: Money


def forecast(rows: Iterable[ForecastRow]) -> list[Forecast]:
    """The outlook for each currency; amounts of different currencies never meet.

    A deal without a probability counts as open but adds nothing to the weighted amount, and is counted, so that the
    gap is visible.
    """
    by_currency: dict[str, list[ForecastRow]] = {}
    for row in rows:
        if row.canonical is not Canonical.LOST:
            by_currency.setdefault(row.currency, []).append(row)
    return [_outlook(currency, group) for currency, group in sorted(by_currency.items())]


def _outlook(currency: str, rows: list[ForecastRow]) -> Forecast:
    live = [row for row in rows if row.canonical in (Canonical.OPEN, Canonical.ONGOING)]

    def amount_of(canonical: Canonical) -> Money:
        return Money(sum((row.amount for row in rows if row.canonical is canonical), ZERO), currency)

    weighted = sum((row.amount * row.probability / HUNDRED for row in live if row.probability is not None), ZERO)
    return Forecast(
        currency=currency,
        open_deals=sum(row.deals for row in live),
        open_amount=Money(sum((row.amount for row in live), ZERO), currency),
        weighted_amount=Money(weighted, currency).rounded(),
        without_probability=sum(row.deals for row in live if row.probability is None),
        on_hold_amount=amount_of(Canonical.ON_HOLD),
        won_amount=amount_of(Canonical.WON),
    )
