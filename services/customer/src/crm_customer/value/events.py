"""What this slice says about customers."""

from datetime import datetime
from typing import Any, ClassVar

from crm_customer.behaviour.domain import exact
from crm_customer.value.domain import Rating
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, MoneyField


class ValueRated(EventPayload):
    """A customer's scores changed."""

    TYPE: ClassVar[str] = "crm.customer.value-rated.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "recency": 5,
        "frequency": 4,
        "monetary": 4,
        "group": "champions",
        "purchases": 7,
        "last_purchase_at": "2026-01-30T12:00:00Z",
        "total": {"amount": "812.50", "currency": "EUR"},
        "rated_at": "2026-01-31T12:00:00Z",
    }

    recency: int
    frequency: int
    monetary: int
    group: str
    purchases: int
    last_purchase_at: Instant
    total: MoneyField
    rated_at: Instant

    @classmethod
    def of(cls, rating: Rating, now: datetime) -> "ValueRated":
        """The event of a rating."""
        return cls.model_construct(
            recency=rating.recency,
            frequency=rating.frequency,
            monetary=rating.monetary,
            group=rating.group.value,
            purchases=rating.purchases,
            last_purchase_at=rating.last_purchase_at,
            total=exact(rating.total, rating.currency),
            rated_at=now,
        )
