"""Kept events as readers ask for and get them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from crm_shared.errors import Invalid
from crm_shared.fields import Instant, Read
from crm_shared.http.pagination import MAX_LIMIT, Page

_TYPES = "Only these types: names, or beginnings followed by `*`, comma-separated."
_SUBJECT = "Only what is about this: a customer's, deal's, ticket's … id."
_FROM = "Begin with what was kept at this time or later, instead of at a cursor."


class EventFilter(BaseModel):
    """Which events, and where to begin."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: str | None = Field(None, max_length=2_000, description=_TYPES, examples=["crm.customer.*,crm.deal.won.v1"])
    subject: str | None = Field(
        None, pattern=r"^[a-z]{2,16}_[0-9a-z]{1,40}$", description=_SUBJECT, examples=["cus_064gkndciprknf6emc10j6k0as"]
    )
    cursor: str | None = Field(
        None, max_length=100, description="Begin after this: an event's `id` in the stream, or a page's."
    )
    since: Instant | None = Field(None, alias="from", description=_FROM)

    @property
    def patterns(self) -> list[str]:
        """The types asked for; none: all."""
        return [part.strip() for part in (self.types or "").split(",") if part.strip()]

    def refuse_two_beginnings(self) -> None:
        """Refuse a cursor together with a time.

        Raises:
            Invalid: there are both.
        """
        if self.cursor and self.since:
            raise Invalid.field("query:from", "Begin at a cursor or at a time, not at both.", code="two_beginnings")


class EventPageFilter(EventFilter):
    """The same in pages."""

    limit: int = Field(100, ge=1, le=MAX_LIMIT, description="How many items at most.")


class EventRead(Read):
    """One event: CloudEvents 1.0 in its JSON form; `data` is as the event's schema says."""

    specversion: str = Field(examples=["1.0"])
    id: str = Field(
        description="The same for every delivery of this event; forget it after a week at the earliest.",
        examples=["01890a5d-ac96-774b-bcce-b302099a8057"],
    )
    type: str = Field(examples=["crm.customer.updated.v1"])
    source: str = Field(description="The service that says so.", examples=["customer"])
    subject: str = Field(description="Whom it is about.", examples=["cus_064gkndciprknf6emc10j6k0as"])
    time: Instant
    datacontenttype: str = Field(examples=["application/json"])
    tenantid: str = Field(examples=["01890a5d-ac96-774b-bcce-b302099a8057"])
    partitionkey: str = Field(
        description="Events with the same key come in order.",
        examples=["01890a5d-ac96-774b-bcce-b302099a8057:01890a5d-ac96-774b-bcce-b302099a8057"],
    )
    epoch: int = Field(
        description="Grows when the service's data was restored from a backup; then `sequence` begins anew."
    )
    sequence: str = Field(
        description="Counts the subject's events, as text that sorts.", examples=["00000000000000000007"]
    )
    traceparent: str | None = Field(None, description="The trace it belongs to, if there is one.", examples=[None])
    data: dict[str, Any] = Field(examples=[{"display_name": "Ada Lovelace"}])


class EventPage(Page):
    """Some events in the order in which they were kept."""

    items: list[EventRead]
    resume: str = Field(
        description="Send it as `cursor` next time, also when there is nothing more now.", examples=["5f3a.1042"]
    )
