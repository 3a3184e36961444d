"""HTTP models of webhooks."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from crm_gateway.subscriptions.domain import cursor_of
from crm_gateway.webhooks.commands.endpoints import NewEndpoint
from crm_gateway.webhooks.domain.deliveries import Attempt, Reason, State
from crm_gateway.webhooks.domain.endpoints import Disabled, Payload
from crm_gateway.webhooks.domain.urls import LONGEST_URL
from crm_gateway.webhooks.queries import Logged, Shown
from crm_shared.fields import Instant, PublicId, Read, Strict, extensible
from crm_shared.http.pagination import Page

WebhookId = Annotated[UUID, PublicId("hook")]
DeliveryId = Annotated[UUID, PublicId("dlv")]
Url = Annotated[
    str,
    StringConstraints(max_length=LONGEST_URL, pattern=r"^https?://[^\s@#]+$"),
    Field(
        description="Where events go: https, a host of the public internet, no credentials.",
        examples=["https://hooks.example/crm"],
    ),
]
Description = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
EventTypes = Annotated[
    list[Annotated[str, StringConstraints(max_length=200, pattern=r"^(crm\.[a-z0-9.-]+\*?|\*)$")]],
    Field(
        max_length=100,
        description="Types of events, or their beginnings followed by `*`; none means all that its owner may see.",
        examples=[["crm.customer.*", "crm.order.placed.v1"]],
    ),
]
Subject = Annotated[
    str,
    StringConstraints(max_length=100, pattern=r"^[a-z]+_[0-9a-v]{26}$"),
    Field(description="Only events of this one record.", examples=["cus_01h45pvb4mesbf5kj30k89g0jn"]),
]
Overlap = Annotated[int, Field(ge=0, le=168, description="For so long the old secret signs too.")]


class WebhookCreate(Strict):
    """An address that events are to be sent to."""

    url: Url = Field(examples=["https://warehouse.example.com/events"])
    description: Description = Field(default="", examples=["Orders to the warehouse"])
    types: EventTypes = Field(default_factory=list[str], examples=[["crm.order.placed.v1"]])
    subject: Subject | None = None
    payload: Payload = Field(
        Payload.FULL, description="`thin` leaves out the event's `data`: only what happened to which record is sent."
    )
    enabled: bool = True

    def to_domain(self, url: str, seal: bytes) -> NewEndpoint:
        """What the command takes."""
        return NewEndpoint(
            url=url,
            description=self.description,
            types=tuple(self.types),
            subject=self.subject,
            payload=self.payload,
            enabled=self.enabled,
            seal=seal,
        )


class WebhookUpdate(Strict):
    """What may change about a webhook; what is left out stays."""

    url: Url = ""
    description: Description = ""
    types: EventTypes = Field(default_factory=list[str], examples=[["crm.order.placed.v1", "crm.order.returned.v1"]])
    subject: Subject | None = None
    payload: Payload = Payload.FULL
    enabled: bool = True


class WebhookRotate(Strict):
    """How long receivers have to learn the new secret."""

    overlap_hours: Overlap = Field(default=24, examples=[24])

    @property
    def overlap(self) -> timedelta:
        """The same as a duration."""
        return timedelta(hours=self.overlap_hours)


class WebhookReplay(Strict):
    """What is to be sent once more; name either a time or a cursor."""

    since: Instant | None = Field(
        None, description="From this time on, as far back as events are kept.", examples=["2026-01-31T12:00:00Z"]
    )
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="After this cursor, of the stream of events or of a webhook."
    )
    types: EventTypes = Field(default_factory=list[str])

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.since is None) == (self.cursor is None):
            raise PydanticCustomError("start_not_one", "name either since or cursor")
        return self

    @property
    def start(self) -> datetime | str:
        """Where it begins."""
        return self.since if self.since is not None else self.cursor or ""


class WebhookRead(Read):
    """An address that events are sent to."""

    id: WebhookId
    url: str = Field(examples=["https://warehouse.example.com/events"])
    description: str = Field(examples=["Orders to the warehouse"])
    types: list[str] = Field(examples=[["crm.order.placed.v1"]])
    subject: str | None = Field(examples=[None])
    payload: Annotated[str, extensible(Payload)]
    enabled: bool
    disabled_reason: Annotated[str, extensible(Disabled)] | None
    disabled_at: Instant | None
    failing_since: Instant | None = Field(description="Since when it has done nothing but fail.")
    rests_until: Instant | None = Field(description="Until then nothing is sent: it failed, or asked for it.")
    cursor: str | None = Field(
        description="How far it has got; what follows is yet to be tried.", examples=["5f3a.1042"]
    )
    replaying: bool = Field(description="Whether events of the past are being sent once more.")
    owner: str = Field(
        description="Whoever wrote it last; it gets what they may see.", examples=["usr_064gkndciprknf6emc10j6k0as"]
    )
    overlap_until: Instant | None = Field(description="Until when the secret before the last rotation signs too.")
    version: int
    created_at: Instant

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """The model of an endpoint."""
        return cls(**_fields(shown))


class WebhookSecretRead(WebhookRead):
    """A webhook with its secret, shown this once; a repeat of the request shows null."""

    secret: str | None = Field(examples=["whsec_…"])


class WebhookPage(Page):
    """One page of webhooks."""

    items: list[WebhookRead]


class DeliveryAttemptRead(Read):
    """One try, and what the receiver said."""

    number: int
    at: Instant
    status: int | None = Field(description="The HTTP status; null where there was no answer.")
    error: str | None = Field(examples=[None])
    duration_ms: int
    response: str = Field(description="The first kibibyte of the answer's body.", examples=["ok"])

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """The model of an attempt."""
        return cls(
            number=attempt.number,
            at=attempt.at,
            status=attempt.status,
            error=attempt.error,
            duration_ms=attempt.duration_ms,
            response=attempt.told,
        )


class DeliveryRead(Read):
    """One event on its way to a webhook. What was sent is not kept here."""

    id: DeliveryId
    event_id: UUID = Field(description="The event's id, and the header `webhook-id`.")
    type: str = Field(examples=["crm.customer.registered.v1"])
    subject: str = Field(examples=["cus_064gkndciprknf6emc10j6k0as"])
    state: Annotated[str, extensible(State)]
    reason: Annotated[str, extensible(Reason)] | None = Field(description="Why it was dropped or has failed.")
    attempts: list[DeliveryAttemptRead]
    next_attempt_at: Instant | None
    created_at: Instant
    settled_at: Instant | None

    @classmethod
    def of(cls, logged: Logged) -> Self:
        """The model of a delivery."""
        delivery = logged.delivery
        return cls(
            id=delivery.id,
            event_id=delivery.event_id,
            type=delivery.type,
            subject=delivery.subject,
            state=delivery.state,
            reason=delivery.reason,
            attempts=[DeliveryAttemptRead.of(attempt) for attempt in logged.attempts],
            next_attempt_at=delivery.next_at,
            created_at=delivery.created_at,
            settled_at=delivery.settled_at,
        )


class DeliveryPage(Page):
    """One page of a webhook's log."""

    items: list[DeliveryRead]


def _fields(shown: Shown) -> dict[str, Any]:
    endpoint, lane = shown.endpoint, shown.lane
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "types": list(endpoint.types),
        "subject": endpoint.subject,
        "payload": endpoint.payload,
        "enabled": endpoint.disabled is None,
        "disabled_reason": endpoint.disabled,
        "disabled_at": endpoint.disabled_at,
        "failing_since": lane.health.failing_since if lane else None,
        "rests_until": lane.health.rests_until if lane else None,
        "cursor": cursor_of(lane.position) if lane else None,
        "replaying": lane is not None and lane.replay is not None,
        "owner": endpoint.owner,
        "overlap_until": endpoint.overlap_until,
        "version": endpoint.version,
        "created_at": endpoint.created_at,
    }
