"""Timelines and cards follow all services' events."""

from collections.abc import Sequence
from typing import Any

from crm_customer.parties.store import aliases
from crm_customer.timeline import store
from crm_customer.timeline.domain import Entry, OpenItem, OpenKind, kind_of
from crm_customer.timeline.projections.facts import (
    AnswerLine,
    Line,
    MessageLine,
    OwnLine,
    SalesLine,
    ServiceLine,
    subject_of,
)
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.ids import public_id

PROJECTIONS = Projections()

_PREFIXES = {
    "customer": "cus",
    "lead": "lead",
    "deal": "deal",
    "quote": "quo",
    "order": "ord",
    "payment": "pay",
    "message": "msg",
    "response": "rsp",
    "interaction": "int",
    "ticket": "tkt",
    "survey": "svy",
    "demand": "dem",
}
_SALES = {
    "lead": ("captured", "assigned", "contacted", "converted", "recycled", "sla-breached"),
    "deal": ("opened", "stage-changed", "won", "lost"),
    "quote": ("sent", "accepted", "expired"),
    "order": ("placed", "paid", "delivered"),
    "payment": ("received",),
}
_MESSAGES = {
    "message": (
        "accepted",
        "delivered",
        "bounced",
        "failed",
        "suppressed",
        "clicked",
        "replied",
        "complained",
        "unsubscribed",
    ),
    "response": ("captured",),
}
_SERVICE = {
    "interaction": ("started", "queued", "answered", "abandoned", "ended"),
    "ticket": ("opened", "pending", "solved", "reopened", "closed", "sla-warned", "sla-breached"),
    "demand": ("revealed",),
}
_OWN = (
    "registered",
    "updated",
    "merged",
    "unmerged",
    "consent-changed",
    "lifecycle-changed",
    "value-rated",
    "segment-entered",
    "segment-exited",
)
_CLOSING = {"crm.deal.won.v1", "crm.deal.lost.v1", "crm.ticket.solved.v1", "crm.ticket.closed.v1"}
_OPENING = {
    "crm.deal.opened.v1": OpenKind.DEAL,
    "crm.deal.stage-changed.v1": OpenKind.DEAL,
    "crm.ticket.opened.v1": OpenKind.TICKET,
    "crm.ticket.pending.v1": OpenKind.TICKET,
    "crm.ticket.reopened.v1": OpenKind.TICKET,
}


def _types(families: dict[str, tuple[str, ...]]) -> list[str]:
    return [f"crm.{aggregate}.{happened}.v1" for aggregate, names in families.items() for happened in names]


def _ref(event: Received[Any]) -> str:
    aggregate = event.type.split(".")[1]
    return public_id(_PREFIXES[aggregate], event.aggregate_id)


def entry_of(event: Received[Any]) -> Entry | None:
    """The line of a timeline that an event makes, if it tells of somebody."""
    line: Line = event.data
    subject = subject_of(event, line)
    if subject is None:
        return None
    refs = line.refs()
    if not isinstance(line, OwnLine):
        refs = {event.type.split(".")[1] + "_id": _ref(event), **refs}
    return Entry(
        id=event.event_id,
        customer_id=subject,
        at=line.when(event),
        kind=kind_of(event.type),
        touchpoint=line.where(),
        title=line.title(event.type),
        refs=refs,
    )


async def follow(tx: Tx, events: Sequence[Received[Any]]) -> None:
    """Append a line for each event and bring the cards of those concerned up to date."""
    entries = [entry for event in events if (entry := entry_of(event)) is not None]
    await store.append(tx, entries)
    await _keep_open_items(tx, events)
    answering = await aliases.canonical(tx, list({entry.customer_id for entry in entries}))
    await store.refresh_cards(tx, list(answering.values()), now=max(event.occurred_at for event in events))


async def _keep_open_items(tx: Tx, events: Sequence[Received[Any]]) -> None:
    closed = [_ref(event) for event in events if _closes(event)]
    if closed:
        await store.close_items(tx, closed)
    opened = [
        OpenItem(
            ref=_ref(event),
            customer_id=event.data.customer_id,
            kind=_OPENING[event.type],
            title=event.data.name if isinstance(event.data, SalesLine) else event.data.subject,
            state=event.data.to_stage or event.data.stage if isinstance(event.data, SalesLine) else event.type,
            since=event.data.when(event),
        )
        for event in events
        if event.type in _OPENING and event.data.customer_id is not None and not _closes(event)
    ]
    await store.open_items(tx, opened)


def _closes(event: Received[Any]) -> bool:
    won_or_lost = isinstance(event.data, SalesLine) and event.data.canonical in ("won", "lost")
    return event.type in _CLOSING or won_or_lost


for _type in _types(_SALES):
    PROJECTIONS.on(_type, SalesLine)(follow)
for _type in _types(_MESSAGES):
    PROJECTIONS.on(_type, MessageLine)(follow)
for _type in _types(_SERVICE):
    PROJECTIONS.on(_type, ServiceLine)(follow)
for _happened in _OWN:
    PROJECTIONS.on(f"crm.customer.{_happened}.v1", OwnLine)(follow)


@PROJECTIONS.on("crm.customer.lifecycle-changed.v1", OwnLine)
async def lifecycle_on_card(tx: Tx, events: Sequence[Received[OwnLine]]) -> None:
    """The card shows the state."""
    await store.set_lifecycles(tx, [(event.aggregate_id, event.data.state or "") for event in events])


@PROJECTIONS.on("crm.customer.value-rated.v1", OwnLine)
async def value_on_card(tx: Tx, events: Sequence[Received[OwnLine]]) -> None:
    """The card shows the value group."""
    await store.set_value_groups(tx, [(event.aggregate_id, event.data.group or "") for event in events])


@PROJECTIONS.on("crm.survey.answered.v1", AnswerLine)
async def answered(tx: Tx, events: Sequence[Received[AnswerLine]]) -> None:
    """An answer is a line, and the mood on the card."""
    await follow(tx, events)
    concerned = [event for event in events if event.data.customer_id is not None]
    answering = await aliases.canonical(tx, [event.data.customer_id for event in concerned if event.data.customer_id])
    for event in concerned:
        assert event.data.customer_id is not None
        await store.set_mood(tx, answering[event.data.customer_id], event.data.mood(event))
