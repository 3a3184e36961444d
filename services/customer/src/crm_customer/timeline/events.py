"""What this slice says about customers."""

from typing import Any, ClassVar

from crm_shared.events import EventPayload
from crm_shared.fields import Instant


class AnswerRecorded(EventPayload):
    """A customer's answer to a survey is kept with the touchpoint that caused it."""

    TYPE: ClassVar[str] = "crm.customer.answer-recorded.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "survey": "csat",
        "score": 4,
        "scale_max": 5,
        "touchpoint": "phone",
        "comment": "quick help",
        "at": "2026-01-31T12:00:00Z",
    }

    survey: str
    score: int
    scale_max: int
    touchpoint: str
    comment: str | None
    at: Instant
