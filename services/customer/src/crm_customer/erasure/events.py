"""What this slice says about customers."""

from typing import Any, ClassVar

from crm_shared.events import EventPayload
from crm_shared.fields import Instant


class CustomerErased(EventPayload):
    """A person is forgotten; whoever keeps something of them forgets it too."""

    TYPE: ClassVar[str] = "crm.customer.erased.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {"erased_at": "2026-01-31T12:00:00Z"}

    erased_at: Instant
