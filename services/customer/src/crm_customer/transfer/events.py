"""The whole of a customer, for whoever begins to follow customers or lost the thread."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from crm_customer.fields import ConsentId, CustomerId, SegmentId
from crm_customer.parties.events import CustomerRegistered, PartyState
from crm_shared.fields import Instant, MoneyField


class ConsentNow(BaseModel):
    """What holds for one purpose and channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    consent_id: ConsentId
    purpose: str
    channel: str
    status: str
    expires_at: Instant | None


class LifecycleNow(BaseModel):
    """Where the customer stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: str
    reason: str
    changed_at: Instant


class ValueNow(BaseModel):
    """The customer's scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recency: int
    frequency: int
    monetary: int
    group: str
    purchases: int
    last_purchase_at: Instant
    total: MoneyField
    rated_at: Instant


class CustomerSnapshot(PartyState):
    """Everything that a customer's events would add up to; it carries the sequence of the last of them."""

    TYPE: ClassVar[str] = "crm.customer.snapshot.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        **CustomerRegistered.EXAMPLE,
        "consents": [
            {
                "consent_id": "cst_064gkndciprknf6emc10j6k0as",
                "purpose": "newsletter",
                "channel": "email",
                "status": "granted",
                "expires_at": None,
            }
        ],
        "lifecycle": {"state": "repeat", "reason": "bought 2 times", "changed_at": "2026-01-31T12:00:00Z"},
        "value": None,
        "segments": ["seg_064gkndciprknf6emc10j6k0as"],
        "merged_into": None,
    }

    consents: list[ConsentNow]
    lifecycle: LifecycleNow | None
    value: ValueNow | None
    segments: list[SegmentId]
    merged_into: CustomerId | None
