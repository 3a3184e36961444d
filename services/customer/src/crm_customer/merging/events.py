"""What this slice says about customers; under both keys, so that whoever follows either learns of it in its order."""

from typing import Any, ClassVar

from crm_customer.fields import CustomerId
from crm_shared.events import EventPayload

_SURVIVOR = "cus_064gkndciprknf6emc10j6k0as"
_OTHER = "cus_064gkndciprknf6emc10j6k0b0"


class CustomerMerged(EventPayload):
    """Two records are one customer; the survivor answers for both."""

    TYPE: ClassVar[str] = "crm.customer.merged.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {"survivor_id": _SURVIVOR, "merged_id": _OTHER}

    survivor_id: CustomerId
    merged_id: CustomerId


class CustomerUnmerged(EventPayload):
    """A merge was retracted; the restored record answers for itself again."""

    TYPE: ClassVar[str] = "crm.customer.unmerged.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {"survivor_id": _SURVIVOR, "restored_id": _OTHER}

    survivor_id: CustomerId
    restored_id: CustomerId
