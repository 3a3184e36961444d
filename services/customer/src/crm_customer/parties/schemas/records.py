"""One customer as clients send and see it."""

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from crm_customer.fields import Country, CustomerId, ExternalId, Language, Line, Name, SourceName
from crm_customer.parties.domain import (
    MAX_CONTACT_POINTS,
    Category,
    ContactChannel,
    ContactPoint,
    Customer,
    Kind,
    Profile,
    Registration,
    Status,
    TypedPoint,
    named,
)
from crm_customer.parties.normalising import contact_points
from crm_shared.errors import Invalid
from crm_shared.fields import Day, Instant, Read, Strict, extensible
from crm_shared.ids import public_id


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_time_zone(value: str) -> str:
    if value not in _time_zones():
        raise PydanticCustomError("time_zone_unknown", "expected an IANA time zone such as Europe/Berlin")
    return value


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
Attributes = dict[Annotated[str, Field(max_length=48)], Any]


class ContactPointIn(Strict):
    """A way to reach the customer, as typed; it is normalised."""

    channel: ContactChannel
    value: Line = Field(examples=["ada@example.org"])
    preferred: bool = Field(default=False, examples=[True])
    verified: bool = False
    valid_from: Day | None = None
    valid_until: Day | None = None

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise PydanticCustomError("period_empty", "valid_until lies before valid_from")
        return self

    def to_domain(self) -> TypedPoint:
        """The domain's terms."""
        return TypedPoint(self.channel, self.value, self.preferred, self.verified, self.valid_from, self.valid_until)


class CustomerCreate(Strict):
    """A customer to be registered. A person needs a display name or a part of its name."""

    kind: Kind = Kind.PERSON
    category: Category = Category.CONSUMER
    display_name: Name | None = Field(default=None, examples=["Ada Lovelace"])
    given_name: Name | None = Field(default=None, examples=["Ada"])
    family_name: Name | None = Field(default=None, examples=["Lovelace"])
    language: Language | None = Field(default=None, examples=["en"])
    time_zone: TimeZone | None = None
    country: Country | None = Field(default=None, examples=["DE"])
    birth_date: Day | None = None
    owner: Line | None = Field(None, description="The user who looks after the customer.")
    source: SourceName | None = Field(None, description="Where we know the customer from.")
    external_source: SourceName | None = Field(
        None, description="Another system that knows the customer …", examples=["web-shop"]
    )
    external_id: ExternalId | None = Field(
        None, description="… and its id there; the pair is unique.", examples=["C-1042"]
    )
    attributes: Attributes = Field(default_factory=dict[str, Any], max_length=200)
    contact_points: list[ContactPointIn] = Field(
        default_factory=list[ContactPointIn],
        max_length=MAX_CONTACT_POINTS,
        examples=[[{"channel": "email", "value": "ada@example.org", "preferred": True}]],
    )
    registered_at: Instant | None = Field(None, description="Since when the customer is known; now, if left out.")

    def to_domain(self) -> Registration:
        """The command's input.

        Raises:
            Invalid: there is no name, half an external key, or a contact point that can't be one.
        """
        name = named(self.display_name, self.given_name, self.family_name)
        if name is None:
            raise Invalid.field("/display_name", "Give a display name, or a person's names.", code="name_missing")
        if (self.external_source is None) != (self.external_id is None):
            raise Invalid.field("/external_id", "Give external_source and external_id together.", code="key_incomplete")
        fields = {field: getattr(self, field) for field in _PLAIN_FIELDS if field != "display_name"}
        points = contact_points([point.to_domain() for point in self.contact_points], country=self.country)
        profile = Profile(display_name=name, contact_points=points, attributes=dict(self.attributes), **fields)
        return Registration(profile, self.registered_at)


_PLAIN_FIELDS = (
    "kind",
    "category",
    "display_name",
    "given_name",
    "family_name",
    "language",
    "time_zone",
    "country",
    "birth_date",
    "owner",
    "source",
    "external_source",
    "external_id",
)


class CustomerPut(CustomerCreate):
    """A customer as another system knows it; the address holds that system's name and its id there."""

    def keyed(self, source: str, external_id: str) -> Registration:
        """The command's input under the address's key."""
        return self.model_copy(update={"external_source": source, "external_id": external_id}).to_domain()


class CustomerUpdate(Strict):
    """Fields to change; what is left out stays, null empties, contact points are replaced, attributes merge."""

    category: Category | None = None
    display_name: Name | None = None
    given_name: Name | None = None
    family_name: Name | None = Field(default=None, examples=["King"])
    language: Language | None = Field(default=None, examples=["de"])
    time_zone: TimeZone | None = None
    country: Country | None = None
    birth_date: Day | None = None
    owner: Line | None = None
    source: SourceName | None = None
    attributes: Attributes | None = Field(None, max_length=200)
    contact_points: list[ContactPointIn] | None = Field(None, max_length=MAX_CONTACT_POINTS)

    def to_changes(self) -> dict[str, Any]:
        """The changed fields in the domain's terms.

        Raises:
            Invalid: a field that must have a value is emptied.
        """
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("category", "display_name"):
            if name in changes and changes[name] is None:
                raise Invalid.field(f"/{name}", "This can be changed but not emptied.", code="not_nullable")
        if "contact_points" in changes:
            changes["contact_points"] = tuple(point.to_domain() for point in self.contact_points or ())
        return changes


class ContactPointRead(Read):
    """A normalised way to reach the customer."""

    channel: Annotated[str, extensible(ContactChannel)]
    value: str = Field(examples=["ada@example.org"])
    preferred: bool
    verified: bool
    valid_from: date | None
    valid_until: date | None


class CustomerRead(Read):
    """A customer."""

    id: CustomerId
    version: int
    number: int = Field(examples=[1042])
    status: Annotated[str, extensible(Status)]
    kind: Annotated[str, extensible(Kind)]
    category: Annotated[str, extensible(Category)]
    display_name: str = Field(examples=["Ada Lovelace"])
    given_name: str | None = Field(examples=["Ada"])
    family_name: str | None = Field(examples=["Lovelace"])
    language: str | None = Field(examples=["en"])
    time_zone: str | None = Field(examples=["Europe/Berlin"])
    country: str | None = Field(examples=["DE"])
    birth_date: date | None = Field(examples=["1980-12-10"])
    owner: str | None = Field(examples=[None])
    source: str | None = Field(examples=["web-shop"])
    external_source: str | None = Field(examples=["web-shop"])
    external_id: str | None = Field(examples=["C-1042"])
    attributes: dict[str, Any]
    contact_points: list[ContactPointRead]
    completeness: int = Field(description="How much of what one would want to know is known, 0 to 100.")
    registered_at: Instant
    updated_at: Instant


def shown(customer: Customer) -> dict[str, Any]:
    """`CustomerRead` of a customer, as JSON's own types: everything in it was checked when it was written."""
    profile = customer.profile
    return {
        "id": public_id("cus", customer.id),
        "version": customer.version,
        "number": customer.number,
        "status": customer.status.value,
        "kind": profile.kind.value,
        "category": profile.category.value,
        "display_name": profile.display_name,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "language": profile.language,
        "time_zone": profile.time_zone,
        "country": profile.country,
        "birth_date": profile.birth_date,
        "owner": profile.owner,
        "source": profile.source,
        "external_source": profile.external_source,
        "external_id": profile.external_id,
        "attributes": profile.attributes or {},
        "contact_points": [_point(point) for point in profile.contact_points],
        "completeness": customer.completeness,
        "registered_at": customer.registered_at,
        "updated_at": customer.updated_at,
    }


def _point(point: ContactPoint) -> dict[str, Any]:
    return {
        "channel": point.channel.value,
        "value": point.value,
        "preferred": point.preferred,
        "verified": point.verified,
        "valid_from": point.valid_from,
        "valid_until": point.valid_until,
    }
