"""Timelines and cards as clients see them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from crm_customer.fields import CustomerId, EntryId
from crm_customer.parties.domain import Category, Kind
from crm_customer.timeline.domain import Card, Entry
from crm_customer.timeline.store import Shown
from crm_shared.fields import Instant, Read, extensible
from crm_shared.http.pagination import Page, PageQuery


class EntryRead(Read):
    """One line of a timeline."""

    id: EntryId
    customer_id: CustomerId
    at: Instant
    kind: str = Field(examples=["ticket.opened"])
    touchpoint: str = Field(examples=["service_call"])
    title: str = Field(examples=["The pump leaks"])
    refs: dict[str, Any]

    @classmethod
    def of(cls, entry: Entry) -> "EntryRead":
        """The client's view."""
        return cls(
            id=entry.id,
            customer_id=entry.customer_id,
            at=entry.at,
            kind=entry.kind,
            touchpoint=entry.touchpoint,
            title=entry.title,
            refs=dict(entry.refs),
        )


class TimelinePage(Page):
    """A page of a timeline."""

    items: list[EntryRead]


class TimelineFilter(PageQuery):
    """Which lines to show, the latest first."""

    kind: str | None = Field(None, max_length=64, description="Such as `order.placed`, or `order` for all of orders.")
    touchpoint: str | None = Field(None, max_length=64, description="Only what happened at this touchpoint.")
    since: Instant | None = Field(None, description="Only what happened then or later.")
    until: Instant | None = Field(None, description="Not included itself.")

    def to_shown(self) -> Shown:
        """The store's terms."""
        return Shown(self.kind, self.touchpoint, self.since, self.until)


class MoodRead(Read):
    """The last satisfaction score."""

    kind: str = Field(examples=["csat"])
    score: int = Field(examples=[5])
    scale_max: int = Field(examples=[5])
    at: Instant


class TouchRead(Read):
    """One of the latest touches."""

    at: Instant
    kind: str = Field(examples=["ticket.opened"])
    touchpoint: str = Field(examples=["service_call"])
    title: str = Field(examples=["The pump leaks"])


class CardRead(Read):
    """What an agent sees first."""

    customer_id: CustomerId
    display_name: str = Field(examples=["Ada Lovelace"])
    kind: Annotated[str, extensible(Kind)]
    category: Annotated[str, extensible(Category)]
    language: str | None = Field(examples=["en"])
    lifecycle: str | None = Field(examples=["repeat"])
    value_group: str | None = Field(examples=["loyal"])
    open_deals: int
    open_tickets: int
    mood: MoodRead | None
    consents: dict[str, str] = Field(description="`purpose:channel` to granted, revoked or expired.")
    touches: list[TouchRead] = Field(description="The last five, the latest first.")
    updated_at: Instant

    @classmethod
    def of(cls, card: Card) -> "CardRead":
        """The client's view."""
        mood: Mapping[str, Any] | None = card.mood
        return cls(
            customer_id=card.customer_id,
            display_name=card.display_name,
            kind=card.kind,
            category=card.category,
            language=card.language,
            lifecycle=card.lifecycle,
            value_group=card.value_group,
            open_deals=card.open_deals,
            open_tickets=card.open_tickets,
            mood=None if mood is None else MoodRead.model_validate(mood),
            consents=dict(card.consents),
            touches=[TouchRead.model_validate(touch) for touch in card.touches],
            updated_at=card.updated_at,
        )
