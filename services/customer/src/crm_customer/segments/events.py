"""What this slice says about customers and about segments."""

from typing import Any, ClassVar

from crm_customer.fields import SegmentId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant

_MOVE: dict[str, Any] = {
    "segment_id": "seg_064gkndciprknf6emc10j6k0as",
    "version": 3,
    "reason": "materialised",
    "at": "2026-01-31T12:00:00Z",
}


class SegmentMove(EventPayload):
    """A customer's way into or out of a segment."""

    ID_PREFIX: ClassVar[str] = "cus"

    segment_id: SegmentId
    version: int
    reason: str
    at: Instant


class SegmentEntered(SegmentMove):
    """A customer is in a segment now."""

    TYPE: ClassVar[str] = "crm.customer.segment-entered.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _MOVE


class SegmentExited(SegmentMove):
    """A customer isn't in a segment any more."""

    TYPE: ClassVar[str] = "crm.customer.segment-exited.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _MOVE


class SegmentMaterialised(EventPayload):
    """All customers were looked at; a segment's members are those its rule finds."""

    TYPE: ClassVar[str] = "crm.segment.materialised.v1"
    ID_PREFIX: ClassVar[str] = "seg"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "segment_id": "seg_064gkndciprknf6emc10j6k0as",
        "name": "Valuable and lapsing",
        "version": 3,
        "count": 1204,
        "at": "2026-01-31T12:00:00Z",
    }

    segment_id: SegmentId
    name: str
    version: int
    count: int
    at: Instant
