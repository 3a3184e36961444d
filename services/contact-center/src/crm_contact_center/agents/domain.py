"""Agents: what they can do, how much at a time, and whether they are there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from crm_shared.errors import Conflict, Invalid

MAX_LEVEL = 10
FULL = 100
"""The capacity of one person, in units."""
DEFAULT_COSTS: Mapping[str, int] = {"voice": 100, "callback": 100, "chat": 20, "sms": 20, "email": 10, "web_form": 10}
USER_ROLE = "agent"
"""Users of the suite with this role are agents."""
DEFAULT_LEASE = timedelta(seconds=60)
"""How long an agent counts as present without a sign of life."""


class AgentState(StrEnum):
    """What an agent is doing; how much of their capacity is taken is another matter."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    BREAK = "break"
    WRAPPING = "wrapping"


SIGNED_IN = frozenset({AgentState.AVAILABLE, AgentState.WRAPPING, AgentState.BREAK})
CHOOSABLE = frozenset({AgentState.OFFLINE, AgentState.AVAILABLE, AgentState.BREAK})
"""What an agent can ask for; wrapping comes of itself after a conversation."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who talks to customers. `version` counts changes of the profile only."""

    id: UUID
    user_id: UUID | None
    name: str
    email: str | None
    state: AgentState
    reason: str | None
    state_since: datetime
    cap: int
    used: int
    idle_since: datetime
    last_offered_at: datetime | None
    presence_until: datetime | None
    retired: bool
    version: int
    created_at: datetime
    skills: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def room(self) -> int:
        """Units that are free."""
        return max(0, self.cap - self.used)


def check_skills(skills: Mapping[str, int]) -> None:
    """Refuses levels outside 1…10.

    Raises:
        Invalid: naming the skill.
    """
    for skill, level in skills.items():
        if not 1 <= level <= MAX_LEVEL:
            raise Invalid.field(f"/skills/{skill}", f"A level is 1 to {MAX_LEVEL}.", code="level_out_of_range")


def check_state(agent: Agent, to: AgentState) -> None:
    """Refuses what an agent cannot ask for.

    Raises:
        Invalid: nobody can ask for that state.
        Conflict: the agent has left.
    """
    if to not in CHOOSABLE:
        raise Invalid.field(
            "/state", "Ask for available, break or offline; wrapping comes of itself.", code="state_not_choosable"
        )
    if agent.retired:
        raise Conflict("This agent has left.", code="agent_retired")
