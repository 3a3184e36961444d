"""What a customer is: a party, its contact points, how complete its record is, and what a change changed."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

MAX_CONTACT_POINTS = 50
AUDITED = (
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
    "attributes",
    "contact_points",
)


class Kind(StrEnum):
    """Whether a party is a human being."""

    PERSON = "person"
    ORGANISATION = "organisation"


class Category(StrEnum):
    """In what role a party deals with us."""

    CONSUMER = "consumer"
    BUSINESS = "business"
    INTERMEDIARY = "intermediary"
    PUBLIC_INTEREST = "public_interest"


class ContactChannel(StrEnum):
    """A way to reach a party."""

    EMAIL = "email"
    PHONE = "phone"
    POSTAL = "postal"
    FAX = "fax"
    SOCIAL = "social"
    DEVICE = "device"


class Status(StrEnum):
    """Whether a record stands for itself; a merged one answers with its survivor."""

    ACTIVE = "active"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One normalised way to reach a party; `folded` is what equal points have in common."""

    channel: ContactChannel
    value: str
    folded: str
    preferred: bool = False
    verified: bool = False
    valid_from: date | None = None
    valid_until: date | None = None

    @property
    def key(self) -> tuple[ContactChannel, str]:
        """What makes two points the same."""
        return self.channel, self.folded

    def usable_on(self, day: date) -> bool:
        """Whether the point is valid on `day`; both ends belong to the period."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


@dataclass(frozen=True, slots=True)
class TypedPoint:
    """A contact point as somebody typed it, not yet normalised."""

    channel: ContactChannel
    value: str
    preferred: bool = False
    verified: bool = False
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known about a party, apart from what the service keeps about the record itself."""

    kind: Kind
    category: Category
    display_name: str
    given_name: str | None = None
    family_name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    country: str | None = None
    birth_date: date | None = None
    owner: str | None = None
    source: str | None = None
    external_source: str | None = None
    external_id: str | None = None
    attributes: Mapping[str, Any] | None = None
    contact_points: tuple[ContactPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """A party to be registered; `registered_at` may lie in the past when another system knew it before us."""

    profile: Profile
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Which customers a list shows; None means any."""

    kind: Kind | None = None
    category: Category | None = None
    country: str | None = None
    language: str | None = None
    owner: str | None = None
    source: str | None = None
    name_prefix: str | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer record."""

    id: UUID
    version: int
    number: int
    status: Status
    profile: Profile
    completeness: int
    registered_at: datetime
    updated_at: datetime


def fold(text: str) -> str:
    """`text` without case, accents and superfluous spaces, for comparing; folding twice changes nothing more."""
    if text.isascii():
        return " ".join(text.lower().replace("\x00", " ").split())
    folded = text
    for _ in range(4):  # a few letters need a second round: their folded form decomposes anew
        decomposed = unicodedata.normalize("NFKD", folded.casefold())
        plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
        once = " ".join(plain.replace("\x00", " ").split())
        if once == folded:
            break
        folded = once
    return folded


def named(display_name: str | None, given_name: str | None, family_name: str | None) -> str | None:
    """The name to show: the one given, else the parts of a person's name."""
    parts = " ".join(part for part in (given_name, family_name) if part)
    return display_name or parts or None


def search_text(profile: Profile) -> str:
    """The one folded text in which a search looks."""
    points = (
        point.folded
        for point in profile.contact_points
        if point.channel in (ContactChannel.EMAIL, ContactChannel.PHONE)
    )
    return " ".join((fold(profile.display_name), *points, fold(profile.external_id or ""))).strip()


_PERSON_WEIGHTS = {"given_name": 1, "family_name": 1, "language": 1, "country": 1, "birth_date": 1, "time_zone": 1}
_ORGANISATION_WEIGHTS = {"display_name": 2, "language": 1, "country": 1, "time_zone": 1, "owner": 1}
_CHANNEL_WEIGHTS = {ContactChannel.EMAIL: 2, ContactChannel.PHONE: 1, ContactChannel.POSTAL: 1}


def completeness(profile: Profile) -> int:
    """How much of what one would want to know is known, 0 to 100."""
    weights = _PERSON_WEIGHTS if profile.kind is Kind.PERSON else _ORGANISATION_WEIGHTS
    channels = {point.channel for point in profile.contact_points}
    known = sum(weight for name, weight in weights.items() if getattr(profile, name))
    known += sum(weight for channel, weight in _CHANNEL_WEIGHTS.items() if channel in channels)
    return round(100 * known / (sum(weights.values()) + sum(_CHANNEL_WEIGHTS.values())))


@dataclass(frozen=True, slots=True)
class Change:
    """One field's old and new value, in JSON's terms."""

    field: str
    old: Any
    new: Any


def changes_between(old: Profile, new: Profile) -> tuple[Change, ...]:
    """What differs, field by field, in a fixed order."""
    result: list[Change] = []
    for name in AUDITED:
        before, after = getattr(old, name), getattr(new, name)
        if name == "attributes":
            before, after = dict(before or {}), dict(after or {})
        if before != after:
            result.append(Change(name, plain(before), plain(after)))
    return tuple(result)


def plain(value: Any) -> Any:
    """A field's value as JSON would hold it."""
    if isinstance(value, ContactPoint):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        items = cast("Sequence[Any]", value)
        return [plain(item) for item in items]
    if isinstance(value, date):
        return value.isoformat()
    return value


def carried_over(old: Sequence[ContactPoint], new: Sequence[ContactPoint]) -> tuple[ContactPoint, ...]:
    """`new` points without repetition, verified where the same point already was; at most one preferred per channel."""
    verified = {point.key for point in old if point.verified}
    result: dict[tuple[ContactChannel, str], ContactPoint] = {}
    preferred: set[ContactChannel] = set()
    for point in new:
        if point.key in result:
            continue
        prefer = point.preferred and point.channel not in preferred
        if prefer:
            preferred.add(point.channel)
        result[point.key] = ContactPoint(
            channel=point.channel,
            value=point.value,
            folded=point.folded,
            preferred=prefer,
            verified=point.verified or point.key in verified,
            valid_from=point.valid_from,
            valid_until=point.valid_until,
        )
    return tuple(result.values())


def united(groups: Sequence[Sequence[ContactPoint]]) -> tuple[ContactPoint, ...]:
    """The contact points of several records of one customer, the first record's coming first."""
    return carried_over((), [point for group in groups for point in group])
