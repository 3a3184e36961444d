"""Tickets and service-level policies over HTTP."""

from datetime import timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from crm_contact_center.interactions.domain import InteractionChannel
from crm_contact_center.references import AgentId, CalendarId, CustomerId, InteractionId, PolicyId, TicketId
from crm_contact_center.tickets.commands.opening import NewTicket
from crm_contact_center.tickets.domain.cases import (
    PENDING,
    Happening,
    HistoryEntry,
    Ticket,
    TicketKind,
    TicketPriority,
    TicketState,
)
from crm_contact_center.tickets.domain.clocks import Reading
from crm_contact_center.tickets.domain.policies import Clock, Policy, Target
from crm_contact_center.tickets.queries import TicketWithClocks
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

Subject = Annotated[str, Field(min_length=1, max_length=300)]
Words = Annotated[str, Field(min_length=1, max_length=20_000)]
Department = Annotated[str, Field(min_length=1, max_length=100)]


class TicketCreate(Strict):
    """A customer's matter. From an interaction it takes customer, channel and subject, unless they are given."""

    kind: TicketKind = Field(examples=["fault"])
    subject: Subject | None = Field(default=None, examples=["The pump leaks"])
    description: Words | None = Field(default=None, examples=["The pump leaks at the seal."])
    priority: TicketPriority = TicketPriority.NORMAL
    customer_id: CustomerId | None = None
    interaction_id: InteractionId | None = None
    channel: InteractionChannel | None = None
    department: Department | None = None
    assignee: AgentId | None = None
    expected: Words | None = None
    delivered: Words | None = None

    def to_domain(self) -> NewTicket:
        fields: dict[str, Any] = {name: getattr(self, name) for name in NewTicket.__dataclass_fields__}
        return NewTicket(**fields)


class TicketUpdate(Strict):
    """What is to change; what is left out stays. Another kind or priority may bring another service level."""

    subject: Subject = ""
    description: Words | None = None
    kind: TicketKind = TicketKind.QUERY
    priority: TicketPriority = Field(default=TicketPriority.NORMAL, examples=["high"])
    department: Department | None = None
    assignee: AgentId | None = None
    expected: Words | None = None
    delivered: Words | None = None


class TicketMessage(Strict):
    """What is written."""

    text: Words = Field(examples=["A technician comes tomorrow morning."])


class TicketAnswer(Strict):
    """What there is to say about it."""

    text: Words | None = Field(default=None, examples=["The new seal holds."])


class TicketWait(Strict):
    """Whose turn it is now."""

    on: Annotated[str, Field(pattern="^(customer|supplier)$")] = Field(examples=["customer"])
    reason: Words | None = None

    @property
    def state(self) -> TicketState:
        return TicketState(f"pending_{self.on}")


class TicketHandOff(Strict):
    """Which department has to do what."""

    department: Department = Field(examples=["workshop"])
    question: Words | None = Field(default=None, examples=["Is a new seal in stock?"])


class SlaClockRead(Read):
    """One promise as it stands now; `due_at` is null while the clock is paused or has stopped in time."""

    clock: Annotated[str, extensible(Clock)]
    target_s: float
    elapsed_s: float
    running: bool
    warn_at: Instant | None
    due_at: Instant | None
    stopped_at: Instant | None
    breached_at: Instant | None
    kept: bool | None

    @classmethod
    def of(cls, reading: Reading) -> Self:
        return cls(
            clock=reading.clock,
            target_s=reading.target / timedelta(seconds=1),
            elapsed_s=reading.elapsed / timedelta(seconds=1),
            running=reading.running,
            warn_at=reading.warn_at,
            due_at=reading.due_at,
            stopped_at=reading.stopped_at,
            breached_at=reading.breached_at,
            kept=reading.kept,
        )


class TicketRead(Read):
    """A customer's matter."""

    id: TicketId
    number: int = Field(examples=[1042])
    customer_id: CustomerId | None
    interaction_id: InteractionId | None
    channel: Annotated[str, extensible(InteractionChannel)]
    kind: Annotated[str, extensible(TicketKind)] = Field(examples=["fault"])
    priority: Annotated[str, extensible(TicketPriority)] = Field(examples=["normal"])
    subject: str = Field(examples=["The pump leaks"])
    description: str | None = Field(examples=["The pump leaks at the seal."])
    expected: str | None = Field(examples=[None])
    delivered: str | None = Field(examples=[None])
    state: Annotated[str, extensible(TicketState)]
    department: str | None = Field(examples=[None])
    assignee: AgentId | None
    opened_at: Instant
    first_response_at: Instant | None
    solved_at: Instant | None
    closed_at: Instant | None
    next_due_at: Instant | None
    version: int

    @classmethod
    def of(cls, ticket: Ticket) -> Self:
        return cls(**_fields(ticket))


class TicketDetail(TicketRead):
    """A ticket with its service-level clocks, computed now."""

    policy_id: PolicyId
    clocks: list[SlaClockRead]

    @classmethod
    def whole(cls, found: TicketWithClocks) -> Self:
        return cls(
            **_fields(found.ticket),
            policy_id=found.ticket.policy_id,
            clocks=[SlaClockRead.of(reading) for reading in found.clocks],
        )


class TicketPage(Page):
    items: list[TicketRead]


class TicketFilter(PageQuery):
    customer_id: CustomerId | None = None
    state: TicketState | None = None
    kind: TicketKind | None = None
    priority: TicketPriority | None = None
    assignee: AgentId | None = None
    department: str | None = Field(None, max_length=100)
    number: int | None = Field(None, ge=1, le=2**62)
    interaction_id: InteractionId | None = None
    due_before: Instant | None = Field(None, description="Only tickets whose clocks need somebody before then.")


class TicketHistoryRead(Read):
    """One fact of the ticket's history, numbered from 1."""

    sequence: int
    kind: Annotated[str, extensible(Happening)]
    at: Instant
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    body: dict[str, Any]

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        shown = {name: value for name, value in entry.body.items() if not name.startswith(("policy_", "calendar_"))}
        return cls(sequence=entry.sequence, kind=entry.happening, at=entry.at, actor=entry.actor, body=shown)


class TicketHistoryPage(Page):
    items: list[TicketHistoryRead]


class TicketHistoryFilter(PageQuery):
    """A history has no filters."""


class SlaTargetBody(Strict):
    """How long something may take: `seconds` of open time, or `working_days` of the calendar's ordinary day."""

    seconds: int | None = Field(None, ge=1, le=31_536_000)
    working_days: float | None = Field(None, gt=0, le=365)

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if (self.seconds is None) == (self.working_days is None):
            raise PydanticCustomError("target_ambiguous", "give either seconds or working_days")
        return self

    def to_domain(self) -> Target:
        return Target(self.seconds, self.working_days)


class SlaTargets(Strict):
    """A clock without a target isn't measured."""

    first_response: SlaTargetBody | None = Field(default=None, examples=[{"seconds": 14400}])
    resolution: SlaTargetBody | None = Field(default=None, examples=[{"working_days": 3}])

    def to_domain(self) -> dict[Clock, Target]:
        given = {Clock.FIRST_RESPONSE: self.first_response, Clock.RESOLUTION: self.resolution}
        return {clock: target.to_domain() for clock, target in given.items() if target is not None}


class SlaPolicyCreate(Strict):
    """How soon which tickets are answered and solved; a criterion left out matches all, the most specific one holds."""

    name: str = Field(min_length=1, max_length=200, examples=["Complaints"])
    kind: TicketKind | None = Field(default=None, examples=["complaint"])
    priority: TicketPriority | None = None
    value_group: str | None = Field(None, min_length=1, max_length=100)
    channel: InteractionChannel | None = None
    targets: SlaTargets = Field(examples=[{"first_response": {"seconds": 14400}, "resolution": {"working_days": 3}}])
    pauses: list[TicketState] | None = Field(None, max_length=3)
    warn_percent: int = Field(80, ge=1, le=100, examples=[75])
    calendar_id: CalendarId | None = None

    @model_validator(mode="after")
    def only_pending_states_pause(self) -> Self:
        if self.pauses is not None and not PENDING.issuperset(self.pauses):
            raise PydanticCustomError("pause_not_pending", "only pending states can pause a clock")
        return self

    def to_domain(self) -> Policy:
        return Policy(id=UUID(int=0), version=0, **_policy(self, set(SlaPolicyCreate.model_fields)))


class SlaPolicyUpdate(SlaPolicyCreate):
    """What is to change; tickets keep the version they were promised."""

    name: str = Field("", min_length=1, max_length=200)
    targets: SlaTargets = SlaTargets()

    def changes(self) -> dict[str, Any]:
        return _policy(self, self.model_fields_set)


class SlaTargetRead(Read):
    seconds: int | None = Field(examples=[14400])
    working_days: float | None = Field(examples=[None])


class SlaPolicyRead(Read):
    """A service-level policy in its current version."""

    id: PolicyId
    version: int
    name: str = Field(examples=["Complaints"])
    kind: Annotated[str, extensible(TicketKind)] | None = Field(examples=["complaint"])
    priority: Annotated[str, extensible(TicketPriority)] | None
    value_group: str | None = Field(examples=[None])
    channel: str | None = Field(examples=[None])
    first_response: SlaTargetRead | None
    resolution: SlaTargetRead | None
    pauses: list[str] | None = Field(examples=[["pending_customer"]])
    warn_percent: int = Field(examples=[80])
    calendar_id: CalendarId | None

    @classmethod
    def of(cls, policy: Policy) -> Self:
        return cls(
            id=policy.id,
            version=policy.version,
            name=policy.name,
            kind=policy.kind,
            priority=policy.priority,
            value_group=policy.value_group,
            channel=policy.channel,
            first_response=_target(policy, Clock.FIRST_RESPONSE),
            resolution=_target(policy, Clock.RESOLUTION),
            pauses=None if policy.pauses is None else sorted(policy.pauses),
            warn_percent=round(policy.warn_at * 100),
            calendar_id=policy.calendar_id,
        )


class SlaPolicyPage(Page):
    items: list[SlaPolicyRead]


class SlaPolicyFilter(PageQuery):
    """Policies have no filters yet."""


def _fields(ticket: Ticket) -> dict[str, Any]:
    return {name: getattr(ticket, name) for name in TicketRead.model_fields}


def _target(policy: Policy, clock: Clock) -> SlaTargetRead | None:
    target = policy.targets.get(clock)
    return SlaTargetRead(seconds=target.seconds, working_days=target.working_days) if target else None


def _policy(body: SlaPolicyCreate, given: set[str]) -> dict[str, Any]:
    simple = given & {"name", "kind", "priority", "value_group", "channel", "calendar_id"}
    fields: dict[str, Any] = {name: getattr(body, name) for name in simple}
    if "targets" in given:
        fields["targets"] = body.targets.to_domain()
    if "pauses" in given:
        fields["pauses"] = None if body.pauses is None else frozenset(body.pauses)
    if "warn_percent" in given:
        fields["warn_at"] = body.warn_percent / 100
    return fields
