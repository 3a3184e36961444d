"""Members of a group on the PostgreSQL log, and how partitions are dealt to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from crm_shared.bus.port import Delivered, Place
from crm_shared.ids import new_id

Spot = tuple[int, int]
"""A topic's number and a partition."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who joins what: `session_s` is how long a silent member keeps its partitions."""

    group: str
    topics: Mapping[str, int]
    session_s: float
    id: UUID = field(default_factory=new_id)

    @property
    def alive_key(self) -> int:
        """The advisory lock that this member's connection holds as long as its process lives."""
        return int.from_bytes(self.id.bytes[8:], "big", signed=True)


@dataclass(slots=True)
class Lease:
    """What a member knows of a partition it owns: the fencing generation, and where it reads next."""

    generation: int
    position: int


def delivered_from(row: Mapping[str, Any], topic: str) -> Delivered:
    """A row of the log as the port shows it."""
    headers: dict[str, str] = orjson.loads(row["headers"]) if row["headers"] != "{}" else {}
    return Delivered(topic, row["key"], row["value"], headers, row["part"], row["off"], row["at"])


def shares(members: Mapping[UUID, Sequence[str]], topics: Mapping[str, Sequence[int]]) -> dict[UUID, set[Place]]:
    """Who should own which partition: each topic dealt round among its subscribers, starting at another one each."""
    dealt: dict[UUID, set[Place]] = {member: set() for member in members}
    for nth, (topic, partitions) in enumerate(sorted(topics.items())):
        takers = sorted(member for member, wanted in members.items() if topic in wanted)
        for partition in partitions if takers else ():
            dealt[takers[(partition + nth) % len(takers)]].add((topic, partition))
    return dealt
