"""A customer as this service knows one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Customer:
    """The local copy; `known` is false while only facts about it have come, and not its own event."""

    id: UUID
    known: bool
    display_name: str | None
    given_name: str | None
    family_name: str | None
    email: str | None
    phone: str | None
    language: str | None
    time_zone: str | None
    country: str | None
    merged_into: UUID | None
    erased_at: datetime | None

    def address(self, channel: str) -> str | None:
        """Where a channel reaches this customer."""
        return {"email": self.email, "sms": self.phone}.get(channel)


@dataclass(frozen=True, slots=True)
class Consent:
    """The consent row of one purpose and channel."""

    consent_id: UUID
    purpose: str
    channel: str
    status: str
    effective_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Segment:
    """The last complete materialisation that the customer service has told us of."""

    id: UUID
    name: str | None
    version: int
    count: int
    materialised_at: datetime


class ContactPoint(Protocol):
    """One way to reach a customer, as events carry it."""

    @property
    def channel(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def preferred(self) -> bool: ...


def best_point(points: Sequence[ContactPoint], channel: str) -> str | None:
    """The preferred value of a channel, else its first."""
    of_channel = [point for point in points if point.channel == channel]
    chosen = next((point for point in of_channel if point.preferred), of_channel[0] if of_channel else None)
    return chosen.value if chosen else None


def folded(address: str) -> str:
    """An e-mail address in the form in which two of them are compared."""
    return address.strip().lower()
