"""Endpoints: what is sent where, on whose authority, and when it stops."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class Payload(StrEnum):
    """What is in a webhook's body."""

    FULL = "full"
    """The whole event."""
    THIN = "thin"
    """The event without its `data`: what happened to which record, nothing about anybody."""


class Disabled(StrEnum):
    """Why nothing is sent to an endpoint."""

    BY_HAND = "by_hand"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """For days it only failed."""
    OWNER_GONE = "owner_gone"
    """Whose authority it had is deactivated, revoked or expired."""
    OWNER_NOT_ALLOWED = "owner_not_allowed"
    """Whose authority it had may no longer see any of the events."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that a tenant's events are sent to.

    It gets what its `owner` may see: whoever made it, or enabled it last. `types` are patterns; none means all.
    """

    id: UUID
    url: str
    description: str
    types: tuple[str, ...]
    subject: str | None
    payload: Payload
    owner: str
    disabled: Disabled | None
    disabled_at: datetime | None
    version: int
    created_at: datetime
    overlap_until: datetime | None


@dataclass(frozen=True, slots=True)
class Seals:
    """An endpoint's sealed secrets: the present one, and for a while the one before."""

    present: bytes
    previous: bytes | None
    previous_until: datetime | None

    def holding(self, now: datetime) -> list[bytes]:
        """Those to sign with, the present one first."""
        overlaps = self.previous is not None and self.previous_until is not None and now < self.previous_until
        return [self.present, self.previous] if overlaps and self.previous is not None else [self.present]


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint has answered of late."""

    failing_since: datetime | None = None
    failed_waves: int = 0
    rests_until: datetime | None = None


_LONGEST_REST = timedelta(minutes=1)


def health_after(before: Health, *, succeeded: bool, fresh_failed: bool, pause: timedelta, now: datetime) -> Health:
    """The health after a wave of attempts.

    An endpoint that fails whatever is new to it is asked ever more rarely, up to once a minute: what happens meanwhile
    stays where events are kept, and costs nothing. Failing repeats alone hold up nothing new.
    """
    failed_waves = 0 if succeeded else before.failed_waves + fresh_failed
    rest = min(timedelta(seconds=2.0 ** min(failed_waves - 1, 10)), _LONGEST_REST) if failed_waves else timedelta()
    rest = max(rest, pause)
    return Health(None if succeeded else before.failing_since or now, failed_waves, now + rest if rest else None)


def has_failed_for(health: Health, span: timedelta, now: datetime) -> bool:
    """Whether an endpoint has done nothing but fail for so long."""
    return health.failing_since is not None and now - health.failing_since >= span
