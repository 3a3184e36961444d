"""What this slice says about customers."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from crm_customer.parties.domain import ContactChannel, Customer, Profile
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, extensible

_EXAMPLE: dict[str, Any] = {
    "kind": "person",
    "category": "consumer",
    "display_name": "Ada Example",
    "given_name": "Ada",
    "family_name": "Example",
    "language": "en",
    "time_zone": "Europe/Berlin",
    "country": "DE",
    "source": "webshop",
    "external_source": "erp",
    "external_id": "4711",
    "contact_points": [{"channel": "email", "value": "ada@example.com", "preferred": True, "verified": False}],
    "registered_at": "2026-01-31T12:00:00Z",
}


class ContactPointFact(BaseModel):
    """A contact point as others see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Annotated[ContactChannel, extensible(ContactChannel)]
    value: str
    preferred: bool
    verified: bool


class PartyState(EventPayload):
    """The whole of a party, as its events carry it."""

    ID_PREFIX: ClassVar[str] = "cus"

    kind: str
    category: str
    display_name: str
    given_name: str | None
    family_name: str | None
    language: str | None
    time_zone: str | None
    country: str | None
    source: str | None
    external_source: str | None
    external_id: str | None
    contact_points: list[ContactPointFact]
    registered_at: Instant


class CustomerRegistered(PartyState):
    """A customer is known for the first time."""

    TYPE: ClassVar[str] = "crm.customer.registered.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _EXAMPLE

    @classmethod
    def of(cls, customer: Customer) -> "CustomerRegistered":
        """The event of a record's first state."""
        return cls.model_construct(**party_fields(customer.profile, customer.registered_at))


class CustomerUpdated(PartyState):
    """A customer's record changed; the payload is its whole new state."""

    TYPE: ClassVar[str] = "crm.customer.updated.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = {**_EXAMPLE, "changed": ["display_name"]}

    changed: list[str]

    @classmethod
    def of(cls, customer: Customer, changed: list[str]) -> "CustomerUpdated":
        """The event of a record's new state."""
        return cls.model_construct(**party_fields(customer.profile, customer.registered_at), changed=changed)


def party_fields(profile: Profile, registered_at: datetime) -> dict[str, Any]:
    """A party's fields as its events carry them, already of the right types."""
    return {
        "kind": profile.kind.value,
        "category": profile.category.value,
        "display_name": profile.display_name,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "language": profile.language,
        "time_zone": profile.time_zone,
        "country": profile.country,
        "source": profile.source,
        "external_source": profile.external_source,
        "external_id": profile.external_id,
        "contact_points": [
            ContactPointFact.model_construct(
                channel=point.channel, value=point.value, preferred=point.preferred, verified=point.verified
            )
            for point in profile.contact_points
        ],
        "registered_at": registered_at,
    }
