"""Window policies and conversion rates over HTTP."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from crm_sales_pipeline.fields import Rate
from crm_sales_pipeline.leads.domain.windows import Approach, BuyingWindow, WindowPolicy, WindowRate
from crm_sales_pipeline.leads.schemas.leads import WindowRead
from crm_shared.fields import DecimalField, Read, Strict, extensible


class WindowPolicyFields(Strict):
    """How leads of a window are treated."""

    approach: Approach
    first_contact_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = Field(default=None, examples=[30])
    resurface_after_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    resurface_as: BuyingWindow | None = None
    prior_rate: Rate = Field(examples=["0.2"])
    prior_weight: Annotated[int, Field(ge=1, le=1_000_000)] = 20

    def to_domain(self, window: BuyingWindow) -> WindowPolicy:
        """What the command takes."""
        minutes, days = self.first_contact_minutes, self.resurface_after_days
        return WindowPolicy(
            window=window,
            approach=self.approach,
            first_contact_within=timedelta(minutes=minutes) if minutes is not None else None,
            resurface_after=timedelta(days=days) if days is not None else None,
            resurface_as=self.resurface_as,
            prior_rate=self.prior_rate,
            prior_weight=self.prior_weight,
        )


class WindowPolicyRead(Read):
    """One window's policy."""

    window: WindowRead
    approach: Annotated[str, extensible(Approach)]
    first_contact_minutes: int | None
    resurface_after_days: int | None
    resurface_as: WindowRead | None
    prior_rate: DecimalField
    prior_weight: int

    @classmethod
    def of(cls, policy: WindowPolicy) -> "WindowPolicyRead":
        """The policy as clients see it."""
        within, after = policy.first_contact_within, policy.resurface_after
        return cls(
            window=policy.window,
            approach=policy.approach,
            first_contact_minutes=within // timedelta(minutes=1) if within is not None else None,
            resurface_after_days=after // timedelta(days=1) if after is not None else None,
            resurface_as=policy.resurface_as,
            prior_rate=policy.prior_rate,
            prior_weight=policy.prior_weight,
        )


class WindowPolicies(Read):
    """The policies of all windows."""

    items: list[WindowPolicyRead]


class WindowRateRead(Read):
    """How leads of a window convert: what was assumed, what was seen, what follows."""

    window: WindowRead
    prior_rate: DecimalField
    decided: int
    converted: int
    rate: DecimalField


class WindowRates(Read):
    """Conversion of every window."""

    items: list[WindowRateRead]

    @classmethod
    def of(cls, rates: list[WindowRate]) -> "WindowRates":
        """The figures as clients see them."""
        return cls(
            items=[
                WindowRateRead(
                    window=rate.window,
                    prior_rate=rate.prior_rate,
                    decided=rate.decided,
                    converted=rate.converted,
                    rate=rate.rate,
                )
                for rate in rates
            ]
        )
