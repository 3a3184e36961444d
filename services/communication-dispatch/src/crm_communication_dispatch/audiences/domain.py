"""An audience: who is in a segment at a moment, and who of them may not be written to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class AudienceStatus(StrEnum):
    """It waits until all members have reached us, is built, and is then ready for good."""

    WAITING = "waiting"
    BUILDING = "building"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Audience:
    """`expected` members the segment's version has, `seen` of them have reached us; then `included` and `excluded`."""

    id: UUID
    segment_id: UUID
    channel: str
    purpose: str
    status: AudienceStatus
    segment_version: int | None
    expected: int | None
    seen: int | None
    included: int | None
    excluded: Mapping[str, int] | None
    created_by: str
    created_at: datetime
    ready_at: datetime | None
    version: int


MERGED = "merged_duplicate"


def complete(expected: int, seen: int) -> bool:
    """Whether the whole segment has reached us; fewer members would be half an audience, more a later version."""
    return seen == expected


def look_again_after(age: timedelta) -> timedelta:
    """How soon to look again for missing members: often at first, every ten seconds at last."""
    return min(timedelta(seconds=10), max(timedelta(milliseconds=250), age / 10))


def adds_up(audience: Audience) -> bool:
    """Whether every expected member is accounted for, included or excluded by a reason."""
    return (audience.included or 0) + sum((audience.excluded or {}).values()) == audience.expected
