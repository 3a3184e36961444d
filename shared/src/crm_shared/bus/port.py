"""The bus port: what both adapters keep, and nothing more.

At-least-once delivery, order per key, consumer groups with durable offsets, replay from an offset or a time.

BusError
├── BusUnavailable    not now; publishing or fetching again is right
├── RecordRefused     some records can never be published as they are
├── TopicMissing      the catalogue's topics haven't been created
└── Fenced            this member no longer owns what it acknowledges; what it did will be delivered again
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

MAX_RECORD_BYTES = 1_000_000
"""The largest value a bus takes; events are held to 900 KB where they are inserted, so none is refused later."""
RETENTION = timedelta(days=5)
"""How long a topic keeps its records; under the seven days within which an erased person's data must be gone."""

Place = tuple[str, int]
"""A topic and one of its partitions."""


class BusError(Exception):
    """Something went wrong between us and the bus."""

    tellable = True
    """Its words name topics, groups and what the client library says of the connection: a log may repeat them."""


class BusUnavailable(BusError):
    """Not now; trying again is right, and at worst delivers twice."""


class RecordRefused(BusError):
    """Records at these positions of the published sequence can never be taken; others may have been."""

    def __init__(self, positions: Sequence[int], reason: str) -> None:
        super().__init__(reason)
        self.positions = tuple(positions)
        self.reason = reason


class TopicMissing(BusError):
    """These topics don't exist; they are created from the catalogue, never by publishing."""

    def __init__(self, topics: Sequence[str]) -> None:
        super().__init__(f"missing topics: {', '.join(topics)}")
        self.topics = tuple(topics)


class Fenced(BusError):
    """Another member owns these partitions now; drop what is in memory, it will be delivered again."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something to publish; records with the same key keep their order."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Delivered:
    """A published record at its place in the log."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str]
    partition: int
    offset: int
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind in one partition: records not yet acknowledged, and the age of the oldest."""

    records: int
    seconds: float


class Subscription(Protocol):
    """One member of a consumer group. One task uses it: fetch, do the work, acknowledge, fetch again."""

    @property
    def assignment(self) -> frozenset[Place]:
        """The partitions this member owns now."""
        ...

    async def fetch(self, max_records: int, timeout_s: float) -> list[Delivered]:
        """Up to `max_records` new records, ordered within each partition; empty after `timeout_s` without any.

        Raises:
            BusUnavailable: the bus is away for longer than this call may take.
        """
        ...

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        """Make the group's offsets durable just after these records.

        Raises:
            Fenced: at least one of their partitions belongs to another member now.
        """
        ...

    async def lag(self) -> Mapping[Place, Lag]:
        """How far behind the group is in each assigned partition."""
        ...

    async def aclose(self) -> None:
        """Leave the group at once, so that the others needn't wait for a time-out."""
        ...


class Bus(Protocol):
    """The event bus as this process sees it."""

    system: ClassVar[str]
    """What it is, as traces name it."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish all; returns when every one is acknowledged, in the sequence's order for each key.

        Raises:
            RecordRefused: some can never be taken.
            TopicMissing: a topic doesn't exist.
            BusUnavailable: not all were acknowledged; publishing all of them again is right.
        """
        ...

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create those that don't exist yet."""
        ...

    async def missing_topics(self, topics: Sequence[str]) -> list[str]:
        """Those that don't exist."""
        ...

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        """Join a group; a new group starts at the oldest retained record."""
        ...

    def replay(
        self, topic: str, *, from_offsets: Mapping[int, int] | None = None, since: datetime | None = None
    ) -> AsyncIterator[Delivered]:
        """Read a topic outside any group, up to its end as of now; partitions one after the other.

        `from_offsets` names the first offset of each wanted partition; `since` takes records not older than a time;
        without either, all that is retained.
        """
        ...

    async def aclose(self) -> None:
        """Stop; publishing that waits for a bus which is away is cancelled."""
        ...
