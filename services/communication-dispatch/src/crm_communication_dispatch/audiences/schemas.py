"""Audiences as clients send and get them."""

from typing import Annotated

from pydantic import Field

from crm_communication_dispatch.audiences.domain import Audience, AudienceStatus
from crm_communication_dispatch.fields import AudienceId, SegmentId
from crm_communication_dispatch.providers.domain import Channel
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http import Page

Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["marketing"])]


class AudienceCreate(Strict):
    """Everybody in a segment who may be written to on a channel for a purpose."""

    segment_id: SegmentId
    channel: Channel = Channel.EMAIL
    purpose: Purpose


class AudienceRead(Read):
    """An audience; while it waits, `seen` of `expected` members have arrived here."""

    id: AudienceId
    segment_id: SegmentId
    channel: Annotated[str, extensible(Channel)]
    purpose: str = Field(examples=["marketing"])
    status: Annotated[str, extensible(AudienceStatus)] = Field(examples=["ready"])
    segment_version: int | None
    expected: int | None = Field(examples=[312])
    seen: int | None = Field(examples=[312])
    included: int | None = Field(examples=[287])
    excluded: dict[str, int] | None = Field(examples=[{"no_consent": 25}])
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    created_at: Instant
    ready_at: Instant | None
    version: int

    @classmethod
    def of(cls, found: Audience) -> "AudienceRead":
        """The client's view."""
        return cls(**{name: getattr(found, name) for name in Audience.__dataclass_fields__})


class AudiencePage(Page):
    """Some audiences."""

    items: list[AudienceRead]
