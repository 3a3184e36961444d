"""Interactions over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from crm_contact_center.interactions.domain import (
    Direction,
    Happening,
    HistoryEntry,
    Interaction,
    InteractionChannel,
    InteractionState,
    Leg,
    Participant,
)
from crm_contact_center.references import AgentId, CustomerId, DemandId, InteractionId, QueueId, ReservationId
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

Address = Annotated[str, Field(min_length=1, max_length=320)]
Subject = Annotated[str, Field(min_length=1, max_length=300)]
Words = Annotated[str, Field(min_length=1, max_length=20_000)]


class InteractionUpdate(Strict):
    """Whose conversation it is, or what it is about."""

    customer_id: CustomerId | None = None
    subject: Subject | None = Field(default=None, examples=["The pump P-200 leaks"])


class MessageCreate(Strict):
    """Something said, typed, noted or recorded in a conversation."""

    kind: Annotated[str, Field(pattern="^(message|note|key_press|recording)$")] = "message"
    sender: Annotated[str, Field(pattern="^(customer|agent)$")] = "agent"
    text: Words = Field(examples=["A technician comes tomorrow morning."])

    def body(self) -> dict[str, Any]:
        return {"from": self.sender, "text": self.text}


class DemandCreate(Strict):
    """What the customer showed that they want to buy."""

    text: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["Needs fifty pumps by summer"])
    buying_window: (
        Annotated[str, Field(pattern="^(now|within_3_months|within_6_months|within_12_months|unknown)$")] | None
    ) = Field(default=None, examples=["within_3_months"])


class DemandRead(Read):
    """Sales makes a lead of it."""

    id: DemandId


class InteractionRead(Read):
    """A conversation."""

    id: InteractionId
    channel: Annotated[str, extensible(InteractionChannel)] = Field(examples=["email"])
    direction: Annotated[str, extensible(Direction)]
    from_address: str | None = Field(examples=["ada@example.org"])
    to_address: str | None = Field(examples=["service@example.com"])
    subject: str | None = Field(examples=["The pump leaks"])
    customer_id: CustomerId | None
    recognised: bool = Field(examples=[True])
    state: Annotated[str, extensible(InteractionState)]
    queue_id: QueueId | None
    agent_id: AgentId | None
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    on_hold: bool
    disposition: str | None = Field(examples=["solved"])
    repeat_of: InteractionId | None
    version: int

    @classmethod
    def of(cls, found: Interaction) -> Self:
        return cls(**_fields(found))


class LegRead(Read):
    """A stretch in which one agent took part."""

    agent_id: AgentId
    reservation_id: ReservationId
    began_at: Instant
    ended_at: Instant | None
    hold_s: int
    end_reason: str | None = Field(examples=["completed"])

    @classmethod
    def of(cls, leg: Leg) -> Self:
        return cls(
            agent_id=leg.agent_id,
            reservation_id=leg.reservation_id,
            began_at=leg.began_at,
            ended_at=leg.ended_at,
            hold_s=leg.hold_s,
            end_reason=leg.end_reason,
        )


class ParticipantRead(Read):
    """Somebody in the conversation."""

    role: str = Field(examples=["customer"])
    customer_id: CustomerId | None
    agent_id: AgentId | None
    address: str | None = Field(examples=["ada@example.org"])
    joined_at: Instant
    left_at: Instant | None

    @classmethod
    def of(cls, who: Participant) -> Self:
        return cls(
            role=who.role,
            customer_id=who.customer_id,
            agent_id=who.agent_id,
            address=who.address,
            joined_at=who.joined_at,
            left_at=who.left_at,
        )


class InteractionDetail(InteractionRead):
    """A conversation with those who took part in it."""

    legs: list[LegRead]
    participants: list[ParticipantRead]

    @classmethod
    def whole(cls, found: tuple[Interaction, list[Leg], list[Participant]]) -> Self:
        interaction, legs, people = found
        return cls(
            **_fields(interaction),
            legs=[LegRead.of(leg) for leg in legs],
            participants=[ParticipantRead.of(who) for who in people],
        )


class HappeningRead(Read):
    """One fact of the conversation, numbered from 1."""

    sequence: int
    kind: Annotated[str, extensible(Happening)]
    at: Instant
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    body: dict[str, Any]

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        return cls(sequence=entry.sequence, kind=entry.happening, at=entry.at, actor=entry.actor, body=entry.body)


class InteractionPage(Page):
    items: list[InteractionRead]


class InteractionFilter(PageQuery):
    customer_id: CustomerId | None = None
    state: InteractionState | None = None
    channel: InteractionChannel | None = None
    direction: Direction | None = None
    queue_id: QueueId | None = None
    agent_id: AgentId | None = None


class InteractionHistoryPage(Page):
    items: list[HappeningRead]


class InteractionHistoryFilter(PageQuery):
    """A transcript has no filters."""


def page_key(found: Interaction) -> tuple[datetime, Any]:
    """What a list of interactions is sorted by."""
    return found.started_at, found.id


def _fields(found: Interaction) -> dict[str, Any]:
    fields = {name: getattr(found, name) for name in InteractionRead.model_fields if name != "on_hold"}
    return {**fields, "on_hold": found.held_since is not None}
