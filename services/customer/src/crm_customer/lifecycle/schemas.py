"""Lifecycles as clients send and see them."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from crm_customer.fields import CustomerId
from crm_customer.lifecycle.domain import MAX_DAYS, LifecycleState, Rules
from crm_customer.lifecycle.store import Shift, Standing, Transition
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page
from crm_shared.ids import public_id


class RulesIn(Strict):
    """A tenant's thresholds."""

    repeat_from: int = Field(2, ge=1, le=10_000, description="Purchases from which a customer is a repeat customer.")
    loyal_from: int = Field(5, ge=1, le=10_000, description="Purchases from which a customer is loyal.")
    lapsed_after_days: int = Field(
        180, ge=0, le=MAX_DAYS, description="Days without a purchase that mean lapsed.", examples=[365]
    )
    lost_after_days: int = Field(
        365, ge=0, le=MAX_DAYS, description="Days without a purchase that mean lost.", examples=[730]
    )
    as_of: Instant | None = Field(None, description="Fixes the present, for data that ended in the past.")

    def to_domain(self) -> Rules:
        """The domain's terms."""
        return Rules(self.repeat_from, self.loyal_from, self.lapsed_after_days, self.lost_after_days, self.as_of)


class RulesRead(Read):
    """The thresholds in force."""

    version: int
    repeat_from: int = Field(examples=[2])
    loyal_from: int = Field(examples=[5])
    lapsed_after_days: int = Field(examples=[180])
    lost_after_days: int = Field(examples=[365])
    as_of: Instant | None

    @classmethod
    def of(cls, rules: Rules) -> "RulesRead":
        """The client's view."""
        return cls(
            version=rules.version,
            repeat_from=rules.repeat_from,
            loyal_from=rules.loyal_from,
            lapsed_after_days=rules.lapsed_after_days,
            lost_after_days=rules.lost_after_days,
            as_of=rules.as_of,
        )


class ShiftRead(Read):
    """How many customers would go from one state to another."""

    previous: Annotated[str, extensible(LifecycleState)]
    state: Annotated[str, extensible(LifecycleState)]
    customers: int


class WhatIf(Read):
    """What other rules would change."""

    changed: int
    shifts: list[ShiftRead]

    @classmethod
    def of(cls, shifts: Sequence[Shift]) -> "WhatIf":
        """The client's view."""
        return cls(
            changed=sum(shift.customers for shift in shifts),
            shifts=[ShiftRead(previous=s.previous, state=s.state, customers=s.customers) for s in shifts],
        )


class Evaluation(Strict):
    """Evaluate all customers."""

    as_of: Instant | None = Field(
        None, description="The time that counts as now; else the rules' own.", examples=["2026-03-02T00:00:00Z"]
    )


class StateCount(Read):
    """How many customers stand in a state."""

    state: Annotated[str, extensible(LifecycleState)]
    customers: int


class StateCounts(Read):
    """How many customers stand where."""

    items: list[StateCount]

    @classmethod
    def of(cls, counts: dict[LifecycleState, int]) -> "StateCounts":
        """The client's view, every state listed."""
        return cls(items=[StateCount(state=state, customers=counts.get(state, 0)) for state in LifecycleState])


class LifecycleRead(Read):
    """Where a customer stands, why, and since when."""

    customer_id: CustomerId
    state: Annotated[str, extensible(LifecycleState)] = Field(examples=["repeat"])
    reason: str = Field(examples=["second purchase within the year"])
    since: Instant | None

    @classmethod
    def of(cls, standing: Standing) -> "LifecycleRead":
        """The client's view."""
        return cls(customer_id=standing.customer_id, state=standing.state, reason=standing.reason, since=standing.since)


class LifecycleStepRead(Read):
    """One step of a customer's way."""

    id: str = Field(examples=["evt_064gkndciprknf6emc10j6k0as"])
    previous: Annotated[str, extensible(LifecycleState)]
    state: Annotated[str, extensible(LifecycleState)]
    reason: str = Field(examples=["second purchase within the year"])
    purchases: int
    rules_version: int
    changed_at: Instant
    recorded_at: Instant

    @classmethod
    def of(cls, step: Transition) -> "LifecycleStepRead":
        """The client's view."""
        return cls(
            id=public_id("lcs", step.id),
            previous=step.previous,
            state=step.state,
            reason=step.reason,
            purchases=step.purchases,
            rules_version=step.rules_version,
            changed_at=step.changed_at,
            recorded_at=step.recorded_at,
        )


class StepPage(Page):
    """A page of a customer's way."""

    items: list[LifecycleStepRead]
