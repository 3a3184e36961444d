"""Agents over HTTP."""

from typing import Annotated, Any, Self

from pydantic import Field

from crm_contact_center.agents.commands import NewAgent
from crm_contact_center.agents.domain import FULL, Agent, AgentState
from crm_contact_center.references import AgentId, UserId
from crm_shared.db.pool import Record
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

SkillName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", examples=["de"])]
Level = Annotated[int, Field(ge=1, le=10)]
Skills = Annotated[dict[SkillName, Level], Field(max_length=100)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Units = Annotated[int, Field(ge=1, le=FULL)]


class AgentCreate(Strict):
    """Somebody who is to talk to customers. Skills are levels 1 to 10; a language is a skill named by its code."""

    name: str = Field(min_length=1, max_length=200, examples=["Grace Hopper"])
    email: Email | None = Field(default=None, examples=["grace@example.org"])
    user_id: UserId | None = None
    skills: Skills = Field(default_factory=dict[str, int], examples=[{"de": 5, "pumps": 3}])
    capacity: Units = FULL

    def to_domain(self) -> NewAgent:
        return NewAgent(self.name, self.email, self.user_id, self.user_id, self.skills, self.capacity)


class AgentUpdate(Strict):
    """What is to change; what is left out stays."""

    name: str = Field("", min_length=1, max_length=200, examples=["Grace Hopper"])
    email: Email | None = None
    skills: Skills = Field(default_factory=dict[str, int], examples=[{"de": 5, "pumps": 4}])
    capacity: Units = FULL

    def changes(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        return {{"capacity": "cap"}.get(name, name): value for name, value in given.items()}


class AgentRead(Read):
    """An agent; `used` of `capacity` units are taken by offers, conversations and wrap-ups."""

    id: AgentId
    user_id: UserId | None
    name: str = Field(examples=["Grace Hopper"])
    email: str | None = Field(examples=["grace@example.org"])
    state: Annotated[str, extensible(AgentState)]
    reason: str | None = Field(examples=[None])
    state_since: Instant
    presence_until: Instant | None
    skills: dict[str, int] = Field(examples=[{"de": 5, "pumps": 3}])
    capacity: int = Field(examples=[100])
    used: int
    retired: bool
    version: int
    created_at: Instant

    @classmethod
    def of(cls, agent: Agent) -> Self:
        return cls(
            id=agent.id,
            user_id=agent.user_id,
            name=agent.name,
            email=agent.email,
            state=agent.state,
            reason=agent.reason,
            state_since=agent.state_since,
            presence_until=agent.presence_until if agent.state is not AgentState.OFFLINE else None,
            skills=dict(agent.skills),
            capacity=agent.cap,
            used=agent.used,
            retired=agent.retired,
            version=agent.version,
            created_at=agent.created_at,
        )


class AgentPage(Page):
    items: list[AgentRead]


class AgentFilter(PageQuery):
    state: AgentState | None = None
    skill: str | None = Field(None, max_length=64)
    retired: bool = Field(False, description="Also those who have left.")


class Heartbeat(Strict):
    """A sign of life; without another one within `lease_s` the agent counts as gone."""

    lease_s: int = Field(60, ge=10, le=3_600, examples=[60])


class PresenceRead(Read):
    """Until when the agent counts as present."""

    presence_until: Instant


class CapacityUpdate(Strict):
    """What one conversation on a channel takes of an agent's 100 units."""

    voice: Units = FULL
    callback: Units = FULL
    chat: Units = Field(default=20, examples=[34])
    sms: Units = 20
    email: Units = 10
    web_form: Units = 10


class CapacityRead(Read):
    voice: int
    callback: int
    chat: int
    sms: int
    email: int
    web_form: int

    @classmethod
    def of(cls, units: dict[str, int]) -> Self:
        return cls(**units)


class SkillWrite(Strict):
    """What a skill is about."""

    kind: str = Field("skill", pattern="^(skill|language|product)$", examples=["language"])
    description: str | None = Field(None, max_length=500, examples=["German"])


class SkillRead(Read):
    """A skill and how many agents have it."""

    name: str = Field(examples=["de"])
    kind: Annotated[str, Field(json_schema_extra={"x-extensible-enum": ["skill", "language", "product"]})]
    description: str | None = Field(examples=["German"])
    agents: int

    @classmethod
    def of(cls, row: Record) -> Self:
        return cls(name=row["name"], kind=row["kind"], description=row["description"], agents=row["agents"])


class SkillPage(Page):
    items: list[SkillRead]


class SkillFilter(PageQuery):
    """Skills have no filters yet."""
