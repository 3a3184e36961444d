"""What this slice says about customers."""

from typing import Any, ClassVar

from crm_shared.events import EventPayload
from crm_shared.fields import Instant


class LifecycleChanged(EventPayload):
    """A customer took a step of the lifecycle."""

    TYPE: ClassVar[str] = "crm.customer.lifecycle-changed.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "previous": "repeat",
        "state": "loyal",
        "reason": "bought 5 times",
        "changed_at": "2026-01-31T12:00:00Z",
    }

    previous: str | None
    state: str
    reason: str
    changed_at: Instant
