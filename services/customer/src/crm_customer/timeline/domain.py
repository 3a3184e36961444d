"""What stands on a customer's timeline, and the card made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

CARD_TOUCHES = 5


class Touchpoint(StrEnum):
    """Where a customer and we met; `record` is what we wrote down by ourselves."""

    SALES = "sales"
    MARKETING = "marketing"
    SERVICE = "service"
    RECORD = "record"


class OpenKind(StrEnum):
    """What can be open between a customer and us."""

    DEAL = "deal"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline; its id is the id of the event it tells of."""

    id: UUID
    customer_id: UUID
    at: datetime
    kind: str
    touchpoint: str
    title: str
    refs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_touch(self) -> bool:
        """Whether customer and company met, rather than we wrote something down."""
        return self.touchpoint != Touchpoint.RECORD.value


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A deal or ticket of a customer that isn't finished."""

    ref: str
    customer_id: UUID
    kind: OpenKind
    title: str | None
    state: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Mood:
    """The last satisfaction score a customer gave."""

    kind: str
    score: int
    scale_max: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """What an agent sees first."""

    customer_id: UUID
    display_name: str
    kind: str
    category: str
    language: str | None
    lifecycle: str | None
    value_group: str | None
    open_deals: int
    open_tickets: int
    mood: Mapping[str, Any] | None
    consents: Mapping[str, str]
    touches: tuple[Mapping[str, Any], ...]
    updated_at: datetime


def kind_of(event_type: str) -> str:
    """An event type as a timeline's kind: `crm.order.placed.v1` → `order.placed`."""
    _, aggregate, happened, _ = event_type.split(".")
    return f"{aggregate}.{happened}"


def sentence(*parts: str | None) -> str:
    """A title of the parts that are there, at most 200 characters."""
    return " ".join(part for part in parts if part)[:200]
