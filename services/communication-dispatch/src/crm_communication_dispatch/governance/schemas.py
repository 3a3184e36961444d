"""The policy and suppressions as clients send and get them."""

from typing import Annotated

from pydantic import Field

from crm_communication_dispatch.fields import CustomerId, MessageId, SuppressionId
from crm_communication_dispatch.governance.commands import Silence
from crm_communication_dispatch.governance.domain import (
    Cap,
    Policy,
    QuietHours,
    Suppression,
    SuppressionReason,
    Window,
)
from crm_communication_dispatch.providers.domain import Channel
from crm_shared.fields import Instant, Read, Strict, TimeOfDay, extensible
from crm_shared.http import Page, PageQuery

Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["marketing", "transactional"])]
Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class CapWrite(Strict):
    """At most `limit` messages per day, week or month of the customer's own calendar."""

    limit: Annotated[int, Field(ge=0, le=1_000)]
    window: Window
    channel: Channel | None = None
    purposes: list[Purpose] = Field(default_factory=list[str], max_length=50)

    def to_domain(self) -> Cap:
        """As the rules read it."""
        return Cap(self.limit, self.window, self.channel.value if self.channel else None, frozenset(self.purposes))


class QuietHoursWrite(Strict):
    """Local times between which a channel is silent, such as 21:00 and 08:00."""

    start: TimeOfDay
    end: TimeOfDay

    def to_domain(self) -> QuietHours:
        """As the rules read it; a zone would make no sense here and is dropped."""
        return QuietHours(self.start.replace(tzinfo=None), self.end.replace(tzinfo=None))


class PolicyWrite(Strict):
    """The whole policy: it replaces the one before."""

    caps: Annotated[list[CapWrite], Field(max_length=50)]
    quiet_hours: dict[Channel, QuietHoursWrite] = Field(examples=[{"email": {"start": "21:00", "end": "08:00"}}])
    consent_free: Annotated[list[Purpose], Field(max_length=50)]
    urgent: Annotated[list[Purpose], Field(max_length=50)]
    time_zone: Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])]
    retry_unknown: Annotated[list[Purpose], Field(max_length=50)]

    def to_domain(self) -> Policy:
        """As the rules read it."""
        return Policy(
            caps=tuple(c.to_domain() for c in self.caps),
            quiet_hours={channel.value: q.to_domain() for channel, q in self.quiet_hours.items()},
            consent_free=frozenset(self.consent_free),
            urgent=frozenset(self.urgent),
            time_zone=self.time_zone,
            retry_unknown=frozenset(self.retry_unknown),
        )


class CapRead(Read):
    """A frequency cap."""

    limit: int
    window: Annotated[str, extensible(Window)]
    channel: str | None = Field(examples=["email"])
    purposes: list[str] = Field(examples=[["marketing"]])


class QuietHoursRead(Read):
    """Quiet hours of a channel, as local times."""

    start: str
    end: str


class PolicyRead(Read):
    """What may be sent; version 0 is the built-in policy."""

    caps: list[CapRead]
    quiet_hours: dict[str, QuietHoursRead] = Field(examples=[{"email": {"start": "21:00", "end": "08:00"}}])
    consent_free: list[str] = Field(examples=[["transactional"]])
    urgent: list[str] = Field(examples=[["transactional"]])
    time_zone: str = Field(examples=["Europe/Berlin"])
    retry_unknown: list[str] = Field(examples=[["transactional"]])
    version: int

    @classmethod
    def of(cls, found: Policy) -> "PolicyRead":
        """The client's view."""
        return cls(
            caps=[
                CapRead(limit=c.limit, window=c.window.value, channel=c.channel, purposes=sorted(c.purposes))
                for c in found.caps
            ],
            quiet_hours={
                channel: QuietHoursRead(start=q.start.isoformat("minutes"), end=q.end.isoformat("minutes"))
                for channel, q in found.quiet_hours.items()
            },
            consent_free=sorted(found.consent_free),
            urgent=sorted(found.urgent),
            time_zone=found.time_zone,
            retry_unknown=sorted(found.retry_unknown),
            version=found.version,
        )


class SuppressionCreate(Strict):
    """Whom not to write to: a customer, an address, or both; without a purpose, for none."""

    channel: Channel
    customer_id: CustomerId | None = None
    address: Annotated[str, Field(min_length=3, max_length=254)] | None = Field(
        default=None, examples=["ada@example.org"]
    )
    purpose: Purpose | None = None
    note: Text | None = Field(default=None, examples=["asked by phone"])
    expires_at: Instant | None = None

    def silence(self) -> Silence:
        """As the command takes it."""
        return Silence(
            channel=self.channel.value,
            customer_id=self.customer_id,
            address=self.address,
            purpose=self.purpose,
            reason=SuppressionReason.MANUAL,
            note=self.note,
            expires_at=self.expires_at,
        )


class SuppressionRelease(Strict):
    """Why somebody may be written to again."""

    reason: Text = Field(examples=["Asked for the newsletter again"])


class SuppressionRead(Read):
    """A suppression and its whole story."""

    id: SuppressionId
    channel: Annotated[str, extensible(Channel)]
    customer_id: CustomerId | None
    address: str | None = Field(examples=["ada@example.org"])
    purpose: str | None = Field(examples=[None])
    reason: Annotated[str, extensible(SuppressionReason)]
    note: str | None = Field(examples=["asked by phone"])
    message_id: MessageId | None
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    created_at: Instant
    expires_at: Instant | None
    released_at: Instant | None
    released_by: str | None = Field(examples=[None])
    release_reason: str | None = Field(examples=[None])
    version: int

    @classmethod
    def of(cls, found: Suppression) -> "SuppressionRead":
        """The client's view."""
        return cls(**{name: getattr(found, name) for name in Suppression.__dataclass_fields__})


class SuppressionPage(Page):
    """Some suppressions."""

    items: list[SuppressionRead]


class SuppressionFilter(PageQuery):
    """Which suppressions."""

    customer_id: CustomerId | None = None
    address: str | None = None
    channel: Channel | None = None
    reason: SuppressionReason | None = None
    active: bool | None = None
