"""What a timeline reads of each event: whom it concerns, what to call it, and what to link to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.fields import CustomerId
from crm_customer.timeline.domain import Mood, Touchpoint, sentence
from crm_shared.bus.handlers import Received
from crm_shared.fields import Fact, Instant, MoneyField
from crm_shared.money import Money


def _money(value: Money | None) -> str | None:
    return None if value is None else f"{value.amount.normalize():f} {value.currency}"


def _happened(event_type: str) -> str:
    return event_type.split(".")[2].replace("-", " ")


class Line(Fact):
    """Any event that belongs on a customer's timeline."""

    customer_id: CustomerId | None = None
    at: Instant | None = None

    def when(self, event: Received[Any]) -> datetime:
        """When it happened."""
        return self.at or event.occurred_at

    def where(self) -> str:
        """The touchpoint."""
        return Touchpoint.RECORD.value

    def title(self, event_type: str) -> str:
        """What to call it."""
        _, aggregate, _, _ = event_type.split(".")
        return sentence(aggregate.capitalize(), _happened(event_type))

    def refs(self) -> dict[str, Any]:
        """What to link to, besides the aggregate itself."""
        return {}


class SalesLine(Line):
    """Something of a lead, deal, quote or order."""

    name: str | None = None
    number: str | None = None
    amount: MoneyField | None = None
    total: MoneyField | None = None
    stage: str | None = None
    to_stage: str | None = None
    canonical: str | None = None
    owner: str | None = None
    reason: str | None = None
    campaign_id: str | None = None
    deal_id: str | None = None
    order_id: str | None = None
    captured_at: Instant | None = None
    contacted_at: Instant | None = None
    placed_at: Instant | None = None
    paid_at: Instant | None = None
    delivered_at: Instant | None = None
    received_at: Instant | None = None

    def when(self, event: Received[Any]) -> datetime:
        """When it happened, by whichever name the event gives it."""
        times = (self.captured_at, self.contacted_at, self.placed_at, self.paid_at, self.delivered_at, self.received_at)
        return next((time for time in times if time is not None), super().when(event))

    def where(self) -> str:
        """Sales."""
        return Touchpoint.SALES.value

    def title(self, event_type: str) -> str:
        """Such as `Deal won: Roof 12000 EUR`."""
        what = super().title(event_type)
        detail = sentence(
            self.name or self.number, self.to_stage or self.stage, _money(self.amount or self.total), self.reason
        )
        return sentence(f"{what}:" if detail else what, detail)

    def refs(self) -> dict[str, Any]:
        """Campaign, deal, order and owner, where known."""
        names = ("campaign_id", "deal_id", "order_id", "owner")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class MessageLine(Line):
    """Something of a message or a response to one."""

    channel: str | None = None
    purpose: str | None = None
    subject: str | None = None
    reason: str | None = None
    kind: str | None = None
    text: str | None = None
    campaign_id: str | None = None
    message_id: str | None = None
    captured_at: Instant | None = None

    def when(self, event: Received[Any]) -> datetime:
        """When it happened."""
        return self.at or self.captured_at or event.occurred_at

    def where(self) -> str:
        """The channel; marketing, where none is named."""
        return self.channel or Touchpoint.MARKETING.value

    def title(self, event_type: str) -> str:
        """Such as `Message clicked: Spring offer`."""
        what = super().title(event_type)
        detail = self.subject or self.text or self.reason or self.kind
        return sentence(f"{what}:" if detail else what, detail)

    def refs(self) -> dict[str, Any]:
        """Campaign and message, where known."""
        return {name: value for name in ("campaign_id", "message_id") if (value := getattr(self, name)) is not None}


class ServiceLine(Line):
    """Something of an interaction, a ticket or a demand."""

    channel: str | None = None
    number: str | int | None = None
    subject: str | None = None
    text: str | None = None
    priority: str | None = None
    agent: str | None = None
    disposition: str | None = None
    interaction_id: str | None = None

    def where(self) -> str:
        """The channel; service, where none is named."""
        return self.channel or Touchpoint.SERVICE.value

    def title(self, event_type: str) -> str:
        """Such as `Ticket opened: 17 Broken lid`."""
        what = super().title(event_type)
        number = None if self.number is None else str(self.number)
        detail = sentence(number, self.subject or self.text or self.disposition)
        return sentence(f"{what}:" if detail else what, detail)

    def refs(self) -> dict[str, Any]:
        """Interaction and agent, where known."""
        return {name: value for name in ("interaction_id", "agent") if (value := getattr(self, name)) is not None}


class AnswerLine(Line):
    """An answer to a survey."""

    kind: str
    score: int
    scale_max: int
    comment: str | None = None
    touchpoint: str | None = None
    ticket_id: str | None = None
    interaction_id: str | None = None

    def where(self) -> str:
        """The touchpoint that was asked about."""
        return self.touchpoint or Touchpoint.SERVICE.value

    def title(self, event_type: str) -> str:
        """Such as `CSAT 4 of 5: quick help`."""
        score = f"{self.kind.upper()} {self.score} of {self.scale_max}"
        return sentence(f"{score}:" if self.comment else score, self.comment)

    def refs(self) -> dict[str, Any]:
        """Score, ticket and interaction."""
        names = ("score", "scale_max", "ticket_id", "interaction_id")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def mood(self, event: Received[Any]) -> Mood:
        """The score as the card shows it."""
        return Mood(self.kind, self.score, self.scale_max, self.when(event))


class OwnLine(Line):
    """Something this service itself said about a customer."""

    survivor_id: CustomerId | None = None
    purpose: str | None = None
    channel: str | None = None
    status: str | None = None
    state: str | None = None
    group: str | None = None
    reason: str | None = None
    segment_id: str | None = None
    changed: list[str] | None = None

    def title(self, event_type: str) -> str:
        """Such as `Lifecycle changed: loyal`."""
        what = sentence(_happened(event_type).capitalize())
        about = sentence(self.status, self.purpose, self.channel) if self.purpose else None
        detail = about or self.state or self.group or self.reason or ", ".join(self.changed or ())
        return sentence(f"{what}:" if detail else what, detail)

    def refs(self) -> dict[str, Any]:
        """The segment, where it is about one."""
        return {} if self.segment_id is None else {"segment_id": self.segment_id}


def subject_of(event: Received[Any], line: Line) -> UUID | None:
    """The record an event tells of; None where it tells of nobody we know."""
    if isinstance(line, OwnLine):
        # A merge is published under both keys; it belongs on one timeline once.
        if line.survivor_id is not None and line.survivor_id != event.aggregate_id:
            return None
        return event.aggregate_id
    return line.customer_id
