"""Conversations: one model for voice, e-mail, chat, SMS, callbacks and web forms.

An interaction has legs (the stretches in which somebody took part), participants, and an append-only history.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_shared.errors import Conflict

REPEAT_WITHIN = timedelta(days=7)
"""A customer who comes back within this time had not been helped the first time."""


class InteractionChannel(StrEnum):
    """How it reaches us."""

    VOICE = "voice"
    EMAIL = "email"
    CHAT = "chat"
    SMS = "sms"
    CALLBACK = "callback"
    WEB_FORM = "web_form"


class Direction(StrEnum):
    """Who began."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class InteractionState(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    QUEUED = "queued"
    CONNECTED = "connected"
    ENDED = "ended"
    ABANDONED = "abandoned"


LIVE = frozenset({InteractionState.OPEN, InteractionState.QUEUED, InteractionState.CONNECTED})


class Happening(StrEnum):
    """What an interaction's history records."""

    STARTED = "started"
    QUEUED = "queued"
    ANSWERED = "answered"
    MESSAGE = "message"
    KEY_PRESS = "key_press"
    HELD = "held"
    RESUMED = "resumed"
    TRANSFERRED = "transferred"
    REQUEUED = "requeued"
    NOTE = "note"
    RECORDING = "recording"
    DEMAND = "demand"
    ABANDONED = "abandoned"
    ENDED = "ended"
    WRAPPED = "wrapped"


SAID = frozenset({Happening.MESSAGE, Happening.KEY_PRESS, Happening.NOTE, Happening.RECORDING})
"""What clients may append by themselves; the rest follows from what is done."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One conversation with a customer."""

    id: UUID
    channel: InteractionChannel
    direction: Direction
    from_address: str | None
    to_address: str | None
    subject: str | None
    customer_id: UUID | None
    recognised: bool
    """Whether the customer was found by the address, not named by the sender."""
    state: InteractionState
    queue_id: UUID | None
    agent_id: UUID | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    held_since: datetime | None
    hold_s: int
    disposition: str | None
    repeat_of: UUID | None
    """The customer's interaction shortly before, if there was one."""
    last_event: int
    version: int


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of an interaction in which one agent took part."""

    id: UUID
    interaction_id: UUID
    agent_id: UUID
    reservation_id: UUID
    began_at: datetime
    ended_at: datetime | None
    hold_s: int
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in the conversation."""

    role: str
    customer_id: UUID | None
    agent_id: UUID | None
    address: str | None
    joined_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One fact of the conversation, numbered from 1; never changed."""

    sequence: int
    happening: Happening
    at: datetime
    actor: str
    body: dict[str, Any]


def check_live(interaction: Interaction) -> None:
    """Refuses to go on with a conversation that is over.

    Raises:
        Conflict: it is.
    """
    if interaction.state not in LIVE:
        raise Conflict(f"The interaction is {interaction.state}; start a new one.", code="interaction_over")


def check_connected(interaction: Interaction) -> None:
    """Refuses what only makes sense while an agent is in the conversation.

    Raises:
        Conflict: none is.
    """
    if interaction.state is not InteractionState.CONNECTED:
        raise Conflict("No agent is in this interaction.", code="interaction_not_connected")
