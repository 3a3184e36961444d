"""What this slice says about campaigns."""

from typing import Any, ClassVar

from crm_communication_dispatch.fields import SegmentId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, MoneyField

_EXAMPLE: dict[str, Any] = {
    "name": "We miss you",
    "purpose": "marketing",
    "segment_id": "seg_064gkndciprknf6emc10j6k0as",
}


class CampaignFact(EventPayload):
    """Something that happened to a campaign."""

    ID_PREFIX: ClassVar[str] = "cmp"
    EXAMPLE: ClassVar[dict[str, Any]] = {**_EXAMPLE, "at": "2026-01-31T12:00:00Z"}

    name: str
    purpose: str
    segment_id: SegmentId
    at: Instant


class CampaignApproved(CampaignFact):
    """Somebody else than its author agreed to it."""

    TYPE: ClassVar[str] = "crm.campaign.approved.v1"


class CampaignStarted(CampaignFact):
    """It has begun."""

    TYPE: ClassVar[str] = "crm.campaign.started.v1"


class CampaignFinished(CampaignFact):
    """Every targeted customer is accounted for; `suppressed` counts those held out too, `failed` the unknown too."""

    TYPE: ClassVar[str] = "crm.campaign.finished.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        **_EXAMPLE,
        "targeted": 1000,
        "accepted": 940,
        "failed": 10,
        "suppressed": 50,
        "cost": {"amount": "0.380000", "currency": "EUR"},
        "at": "2026-01-31T12:00:00Z",
    }

    targeted: int
    accepted: int
    failed: int
    suppressed: int
    cost: MoneyField
