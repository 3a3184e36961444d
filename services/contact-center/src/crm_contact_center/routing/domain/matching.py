"""The two sides of a match, as the index of a shard sees them.

Those that every decision makes anew are tuples: it is the hot path.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from crm_contact_center.routing.domain.requirements import Plan


@dataclass(frozen=True, slots=True)
class Contact:
    """Someone who waits; times are seconds since the epoch, `boost_s` what priority is worth.

    `entered_at` is when it came to its present queue, from which relaxation counts; `place_at` is the place it holds:
    earlier if it brought one from before.
    """

    id: UUID
    plan: Plan
    entered_at: float
    place_at: float
    boost_s: float = 0
    version: int = 1
    preferred_agent: UUID | None = None
    preferred_until: float = 0
    excluded: Mapping[UUID, float] = field(default_factory=dict[UUID, float])
    """Agents who are not to be asked again before a time: they have just refused."""


class Agent(NamedTuple):
    """Someone who is signed in and open for offers, with `room` units of capacity left."""

    id: UUID
    skills: tuple[tuple[str, int], ...]
    room: int
    idle_since: float
    used: int = 0
    last_offered_at: float = 0


class Match(NamedTuple):
    """One decision: this contact is to be offered to this agent."""

    contact: Contact
    agent: Agent
    stage: int

    @property
    def cost(self) -> int:
        """The units of capacity that it takes."""
        return self.contact.plan[self.stage].contact_class.cost
