"""What this slice says about customers."""

from typing import Any, ClassVar

from crm_customer.consent.domain import ConsentStatus, Entry
from crm_customer.fields import ConsentId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant


class ConsentChanged(EventPayload):
    """What a customer allows changed for one purpose and channel."""

    TYPE: ClassVar[str] = "crm.customer.consent-changed.v1"
    ID_PREFIX: ClassVar[str] = "cus"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "consent_id": "cst_064gkndciprknf6emc10j6k0as",
        "purpose": "newsletter",
        "channel": "email",
        "status": "granted",
        "legal_basis": "consent",
        "effective_at": "2026-01-31T12:00:00Z",
        "expires_at": None,
    }

    consent_id: ConsentId
    purpose: str
    channel: str
    status: str
    legal_basis: str
    effective_at: Instant
    expires_at: Instant | None

    @classmethod
    def of(cls, entry: Entry, status: ConsentStatus) -> "ConsentChanged":
        """The event that `entry` now decides, and what it says."""
        return cls.model_construct(
            consent_id=entry.id,
            purpose=entry.purpose,
            channel=entry.channel,
            status=status.value,
            legal_basis=entry.legal_basis.value,
            effective_at=entry.effective_at,
            expires_at=entry.expires_at,
        )
