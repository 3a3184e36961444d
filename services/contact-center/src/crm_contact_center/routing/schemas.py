"""Queues, reservations and the ways into and out of a queue, over HTTP."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from crm_contact_center.agents.domain import AgentState
from crm_contact_center.agents.schemas import Level, SkillName, Skills
from crm_contact_center.interactions.commands import NewInteraction
from crm_contact_center.interactions.domain import Direction, InteractionChannel
from crm_contact_center.interactions.schemas import Address, Subject, Words
from crm_contact_center.references import AgentId, CalendarId, CustomerId, InteractionId, QueueId, ReservationId
from crm_contact_center.routing.commands.intake import Wish
from crm_contact_center.routing.commands.queues import QueueRules
from crm_contact_center.routing.domain.explanation import Stretch, Why
from crm_contact_center.routing.domain.queues import Queue, Reservation, ReservationState, VisitState
from crm_contact_center.routing.domain.requirements import RelaxationStep, RoutingStrategy
from crm_contact_center.routing.queries import Explained
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

Priority = Annotated[int, Field(ge=-100, le=100)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]


class QueueStep(Strict):
    """From `after_s` seconds after queueing on, these levels hold instead; null drops a skill."""

    after_s: Annotated[int, Field(ge=1, le=86_400)]
    relax: dict[SkillName, Level | None] = Field(default_factory=dict[str, int | None], max_length=100)
    boost_s: Seconds = 0

    def to_domain(self) -> RelaxationStep:
        return RelaxationStep(self.after_s, self.relax, self.boost_s)


class QueueCreate(Strict):
    """Where interactions wait. One point of priority is worth a minute of waiting."""

    name: str = Field(min_length=1, max_length=200, examples=["Service"])
    channels: list[InteractionChannel] = Field([], max_length=10, examples=[["voice", "email"]])
    addresses: list[Address] = Field([], max_length=200, examples=[["service@example.com"]])
    requirements: Skills = Field(default_factory=dict[str, int], examples=[{"de": 4}])
    steps: list[QueueStep] = Field([], max_length=20)
    strategy: RoutingStrategy = RoutingStrategy.LONGEST_IDLE
    priority: Priority = 0
    language_level: Level | None = None
    offer_timeout_s: int = Field(20, ge=1, le=3_600)
    wrap_up_s: Seconds = Field(default=30, examples=[45])
    preferred_wait_s: Seconds = 0
    reject_pause_s: Seconds = 30
    service_level_s: Seconds = 20
    calendar_id: CalendarId | None = None

    def to_domain(self) -> QueueRules:
        return QueueRules(**_rules(self.model_dump(), self.steps))


class QueueUpdate(QueueCreate):
    """What is to change; what is left out stays."""

    name: str = Field("", min_length=1, max_length=200)
    archived: bool = False

    def changes(self) -> dict[str, Any]:
        return _rules(self.model_dump(exclude_unset=True), self.steps)


class QueueRead(Read):
    """A queue."""

    id: QueueId
    name: str = Field(examples=["Service"])
    channels: list[str] = Field(examples=[["voice", "email"]])
    addresses: list[str] = Field(examples=[["service@example.com"]])
    requirements: dict[str, int] = Field(examples=[{"de": 4}])
    steps: list[QueueStep]
    strategy: Annotated[str, extensible(RoutingStrategy)]
    priority: int
    language_level: int | None
    offer_timeout_s: int
    wrap_up_s: int
    preferred_wait_s: int
    reject_pause_s: int
    service_level_s: int
    calendar_id: CalendarId | None
    archived: bool
    version: int
    created_at: Instant

    @classmethod
    def of(cls, queue: Queue) -> Self:
        fields: dict[str, Any] = {name: getattr(queue, name) for name in cls.model_fields}
        fields["steps"] = [
            QueueStep(after_s=step.after_s, relax=dict(step.relax), boost_s=step.boost_s) for step in queue.steps
        ]
        fields |= {"channels": list(queue.channels), "addresses": list(queue.addresses)}
        return cls(**fields)


class QueuePage(Page):
    items: list[QueueRead]


class QueueFilter(PageQuery):
    archived: bool = Field(False, description="Also those out of use.")


class QueueStatusRead(Read):
    """What goes on in a queue now."""

    waiting: int
    longest_wait_s: float
    open: bool = Field(examples=[True])
    """Whether its calendar is open; always, without one."""


class InteractionCreate(Strict):
    """Somebody reaches us. Who isn't named is recognised by the address; the queue follows from address or channel."""

    channel: InteractionChannel = Field(examples=["email"])
    direction: Direction = Direction.INBOUND
    from_address: Address | None = Field(default=None, examples=["ada@example.org"])
    to_address: Address | None = None
    subject: Subject | None = Field(default=None, examples=["The pump leaks"])
    text: Words | None = None
    customer_id: CustomerId | None = None
    queue_id: QueueId | None = None
    priority: Priority | None = None
    skills: Skills = Field(default_factory=dict[str, int])
    preferred_agent: AgentId | None = None

    def interaction(self) -> NewInteraction:
        return NewInteraction(
            self.channel,
            self.direction,
            self.from_address,
            self.to_address,
            self.subject,
            self.text,
            self.customer_id,
        )

    def wish(self) -> Wish:
        return Wish(self.queue_id, self.priority, self.skills, self.preferred_agent)


class InteractionEnqueue(Strict):
    """How an open interaction is to be queued."""

    queue_id: QueueId | None = Field(default=None, examples=["que_064gkndciprknf6emc10j6k0as"])
    priority: Priority | None = Field(default=None, examples=[10])
    skills: Skills = Field(default_factory=dict[str, int])
    preferred_agent: AgentId | None = None

    def wish(self) -> Wish:
        return Wish(self.queue_id, self.priority, self.skills, self.preferred_agent)


class InteractionTransfer(Strict):
    """Where the customer goes on to; with `keep_place` the wait so far counts there."""

    queue_id: QueueId | None = Field(default=None, examples=["que_064gkndciprknf6emc10j6k0as"])
    agent_id: AgentId | None = None
    priority: Priority | None = None
    skills: Skills = Field(default_factory=dict[str, int])
    keep_place: bool = Field(default=True, examples=[True])

    def wish(self) -> Wish:
        return Wish(self.queue_id, self.priority, self.skills, self.agent_id)


class InteractionEnd(Strict):
    """How the conversation came out."""

    disposition: str | None = Field(None, min_length=1, max_length=100, examples=["solved"])


class ReservationReject(Strict):
    """Why the agent doesn't take the offer."""

    reason: str | None = Field(None, min_length=1, max_length=200, examples=["still in a call"])


class AgentStateChange(Strict):
    """What the agent does now: `available`, `break` or `offline`."""

    state: Literal[AgentState.OFFLINE, AgentState.AVAILABLE, AgentState.BREAK]
    reason: str | None = Field(None, min_length=1, max_length=100, examples=["lunch"])
    lease_s: int = Field(60, ge=10, le=3_600, description="Without a heartbeat for so long the agent counts as gone.")


class ReservationRead(Read):
    """An agent's time set aside for an interaction; `card` is what pops up on the screen, null once withdrawn."""

    id: ReservationId
    interaction_id: InteractionId
    agent_id: AgentId
    queue_id: QueueId
    channel: Annotated[str, extensible(InteractionChannel)]
    cost: int
    state: Annotated[str, extensible(ReservationState)]
    created_at: Instant
    expires_at: Instant
    accepted_at: Instant | None
    ended_at: Instant | None
    closed_at: Instant | None
    reason: str | None = Field(examples=[None])
    card: dict[str, Any] | None
    version: int

    @classmethod
    def at(cls, now: Instant) -> "Any":
        """The reading at a moment: an offer that has run out shows no card."""

        def of(found: Reservation) -> "ReservationRead":
            fields = {name: getattr(found, name) for name in cls.model_fields if name != "card"}
            return cls(**fields, card=found.card_at(now))

        return of


class ReservationPage(Page):
    items: list[ReservationRead]


class ReservationFilter(PageQuery):
    state: ReservationState | None = None
    live: bool = Field(False, description="Only those that take capacity now.")


def _rules(given: dict[str, Any], steps: list[QueueStep]) -> dict[str, Any]:
    rules = dict(given)
    if "steps" in rules:
        rules["steps"] = tuple(step.to_domain() for step in steps)
    for name in ("channels", "addresses"):
        if name in rules:
            rules[name] = tuple(rules[name])
    return rules


class StretchRead(Read):
    """A part of the wait and what kept it from ending, with the suitable agents by what they did."""

    since: Instant
    until: Instant
    why: Annotated[str, extensible(Why)]
    stage: int
    suitable: int
    free: int
    engaged: int
    on_break: int
    offline: int

    @classmethod
    def of(cls, stretch: Stretch) -> Self:
        return cls(**{name: getattr(stretch, name) for name in cls.model_fields})


class OfferRead(Read):
    """One offer that was made during the wait."""

    reservation_id: ReservationId
    agent_id: AgentId
    state: Annotated[str, extensible(ReservationState)]
    created_at: Instant
    reason: str | None = Field(examples=[None])

    @classmethod
    def of(cls, found: Reservation) -> Self:
        return cls(
            reservation_id=found.id,
            agent_id=found.agent_id,
            state=found.state,
            created_at=found.created_at,
            reason=found.reason,
        )


class WaitRead(Read):
    """One wait in one queue."""

    queue_id: QueueId
    queue: str = Field(examples=["Service"])
    state: Annotated[str, extensible(VisitState)]
    entered_at: Instant
    place_at: Instant
    left_at: Instant | None
    needs: dict[str, int]
    ahead: int | None
    stretches: list[StretchRead]
    offers: list[OfferRead]

    @classmethod
    def of(cls, found: Explained) -> Self:
        visit = found.visit
        return cls(
            queue_id=visit.queue_id,
            queue=found.queue.name,
            state=visit.state,
            entered_at=visit.entered_at,
            place_at=visit.place_at,
            left_at=visit.left_at,
            needs=dict(visit.needs),
            ahead=found.ahead,
            stretches=[StretchRead.of(stretch) for stretch in found.stretches],
            offers=[OfferRead.of(one) for one in found.offers],
        )


class WaitExplanationRead(Read):
    """Why an interaction waited: every wait, cut where something changed."""

    waits: list[WaitRead]

    @classmethod
    def of(cls, found: list[Explained]) -> Self:
        return cls(waits=[WaitRead.of(one) for one in found])
