"""How events that wait look to operators."""

from base64 import b64encode
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from crm_shared.bus.parking_desk import Act, WaitingKey, WaitingMessage
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery


class Direction(StrEnum):
    """Whether a key waits in who consumes it, or in who owns it."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class ParkedKeyRead(Read):
    """A key that can't go on: an incoming one has come as far as `epoch` and `sequence`, an outgoing one hangs there.

    It is tried again by itself at `next_try_at`, later each time; an outgoing one every quarter of a minute.
    """

    key: str = Field(examples=["01890a5d-ac96-774b-bcce-b302099a8057:01890a5d-ac96-774b-bcce-b302099a8057"])
    direction: Annotated[str, extensible(Direction)]
    reason: str = Field(examples=["handler failed"])
    error: str | None = Field(examples=["NotFound: There is no product with this id."])
    attempts: int | None
    epoch: int
    sequence: int
    waiting_since: Instant
    next_try_at: Instant | None
    messages: int

    @classmethod
    def of(cls, waiting: WaitingKey) -> "ParkedKeyRead":
        return cls(
            key=waiting.key,
            direction=Direction.OUTGOING if waiting.is_outgoing else Direction.INCOMING,
            reason=waiting.reason,
            error=waiting.error,
            attempts=waiting.attempts,
            epoch=waiting.position.epoch,
            sequence=waiting.position.seq,
            waiting_since=waiting.since,
            next_try_at=waiting.next_at,
            messages=waiting.events,
        )


class ParkedKeyPage(Page):
    items: list[ParkedKeyRead]


class ParkedMessageRead(Read):
    """One waiting message. `content` is its text, or null where it is none; `content_base64` is always all of it."""

    event_id: UUID
    type: str = Field(examples=["crm.customer.registered.v1"])
    epoch: int
    sequence: int
    topic: str = Field(examples=["crm.customer"])
    partition: int | None
    offset: int | None
    arrived_at: Instant
    content: str | None = Field(examples=['{"specversion":"1.0",…}'])
    content_base64: str = Field(examples=["eyJzcGVjdmVyc2lvbiI6IjEuMCJ9"])

    @classmethod
    def of(cls, message: WaitingMessage) -> "ParkedMessageRead":
        return cls(
            event_id=message.event_id,
            type=message.type,
            epoch=message.position.epoch,
            sequence=message.position.seq,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            arrived_at=message.arrived_at,
            content=_text(message.raw),
            content_base64=b64encode(message.raw).decode(),
        )


class ParkedMessagePage(Page):
    items: list[ParkedMessageRead]


class ParkedActRead(Read):
    """What somebody did to a key: `epoch` and `sequence` tell how far a skip took it."""

    id: UUID
    key: str = Field(examples=["01890a5d-ac96-774b-bcce-b302099a8057:01890a5d-ac96-774b-bcce-b302099a8057"])
    action: str = Field(examples=["skip"])
    epoch: int
    sequence: int
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    reason: str = Field(examples=["The order had been entered by hand."])
    at: Instant

    @classmethod
    def of(cls, act: Act) -> "ParkedActRead":
        return cls(
            id=act.id,
            key=act.key,
            action=act.action,
            epoch=act.position.epoch,
            sequence=act.position.seq,
            actor=act.actor,
            reason=act.reason,
            at=act.at,
        )


class ParkedActPage(Page):
    items: list[ParkedActRead]


Reason = Annotated[str, Field(min_length=3, max_length=500, pattern=r"\S")]


class ParkedRetry(Strict):
    """Why it should work now."""

    reason: Reason = Field(default="retry", examples=["The product exists now."])


class ParkedSkip(Strict):
    """Why what is given up may be given up; nobody can bring it back."""

    reason: Reason = Field(examples=["The order had been entered by hand."])


class ParkedActFilter(PageQuery):
    key: str | None = Field(default=None, max_length=300, description="Acts on this key only.")


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
