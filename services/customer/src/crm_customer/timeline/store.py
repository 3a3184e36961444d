"""SQL of timelines and cards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    bindparam,
    case,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import JSONB, insert

from crm_customer.behaviour.tables import money_fact
from crm_customer.consent.tables import consent_state
from crm_customer.parties.domain import Status
from crm_customer.parties.tables import customer, customer_alias
from crm_customer.timeline.domain import CARD_TOUCHES, Card, Entry, Mood, OpenItem, OpenKind, Touchpoint
from crm_customer.timeline.tables import customer_card, open_item, timeline_entry
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param

SOURCE_WITH_EVENTS = "sales"
"""Facts of this source have events of their own on the timeline."""

e, o, c, k = timeline_entry.c, open_item.c, customer.c, consent_state.c


@dataclass(frozen=True, slots=True)
class Shown:
    """Which lines of a timeline to show; None means any."""

    kind: str | None = None
    touchpoint: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_APPEND = (
    insert(timeline_entry)
    .values({column.name: bindparam(column.name) for column in timeline_entry.columns})
    .on_conflict_do_nothing()
)
_open = insert(open_item).values({column.name: bindparam(column.name) for column in open_item.columns})
_OPEN = _open.on_conflict_do_update(
    index_elements=["tenant_id", "ref"],
    set_={
        "customer_id": _open.excluded.customer_id,
        "title": func.coalesce(_open.excluded.title, o.title),
        "state": _open.excluded.state,
    },
)
_CLOSE = delete(open_item).where(any_param(o.ref, "refs"))
_DROP_CARDS = delete(customer_card).where(any_param(customer_card.c.customer_id, "ids"))


def _of_family(column: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a row belongs to the customer or a record merged into it."""
    aliases = select(customer_alias.c.alias_id).where(customer_alias.c.customer_id == c.id).correlate(customer)
    return column == func.any(func.array_append(func.array(aliases.scalar_subquery()), c.id))


def _counted(kind: OpenKind) -> ColumnElement[int]:
    return (
        select(func.count())
        .select_from(open_item)
        .where(o.kind == kind.value, _of_family(o.customer_id))
        .correlate(customer)
        .scalar_subquery()
    )


def _touches() -> ColumnElement[Any]:
    latest = (
        select(e.at, e.kind, e.touchpoint, e.title, e.id)
        .where(e.is_touch, _of_family(e.customer_id))
        .correlate(customer)
        .order_by(e.at.desc(), e.id.desc())
        .limit(CARD_TOUCHES)
        .subquery("latest")
    )
    line = func.jsonb_build_object(
        "at", latest.c.at, "kind", latest.c.kind, "touchpoint", latest.c.touchpoint, "title", latest.c.title
    )
    return select(func.jsonb_agg(line)).select_from(latest).scalar_subquery()


_consents = (
    select(func.jsonb_object_agg(k.purpose.op("||")(":").op("||")(k.channel), k.status))
    .where(k.customer_id == c.id)
    .correlate(customer)
    .scalar_subquery()
)
_FRESH = (
    "display_name",
    "kind",
    "category",
    "language",
    "open_deals",
    "open_tickets",
    "consents",
    "touches",
    "updated_at",
)
_CARD_SOURCE = select(
    c.tenant_id,
    c.id.label("customer_id"),
    c.display_name,
    c.kind,
    c.category,
    c.language,
    _counted(OpenKind.DEAL).label("open_deals"),
    _counted(OpenKind.TICKET).label("open_tickets"),
    func.coalesce(_consents, literal_column("'{}'::jsonb")).label("consents"),
    func.coalesce(_touches(), literal_column("'[]'::jsonb")).label("touches"),
    bindparam("now", type_=customer_card.c.updated_at.type).label("updated_at"),
).where(any_param(c.id, "ids"), c.status == Status.ACTIVE.value)
_refresh = insert(customer_card).from_select(["tenant_id", "customer_id", *_FRESH], _CARD_SOURCE)
_REFRESH = _refresh.on_conflict_do_update(
    index_elements=["tenant_id", "customer_id"], set_={name: _refresh.excluded[name] for name in _FRESH}
)
_SET_MOOD = (
    update(customer_card)
    .where(
        customer_card.c.customer_id == bindparam("customer"),
        or_(customer_card.c.mood_at.is_(None), customer_card.c.mood_at <= bindparam("at")),
    )
    .values(mood=bindparam("mood"), mood_at=bindparam("at"))
)
_SET_LIFECYCLE = (
    update(customer_card)
    .where(customer_card.c.customer_id == bindparam("customer"))
    .values(lifecycle=bindparam("value"))
)
_SET_VALUE = (
    update(customer_card)
    .where(customer_card.c.customer_id == bindparam("customer"))
    .values(value_group=bindparam("value"))
)
_survivor = select(customer_alias.c.customer_id).where(customer_alias.c.alias_id == bindparam("id")).scalar_subquery()
# CASE, not COALESCE: PostgreSQL takes the latter for leaky, and behind a policy no index serves what may leak.
_CARD = select(customer_card).where(
    customer_card.c.customer_id == case((_survivor.is_(None), bindparam("id", type_=SqlUuid())), else_=_survivor)
)


async def append(tx: Tx, entries: Sequence[Entry]) -> None:
    """Add lines; one that is there already stays as it is."""
    await tx.many(
        _APPEND,
        [
            {
                "tenant_id": tx.tenant,
                "id": entry.id,
                "customer_id": entry.customer_id,
                "at": entry.at,
                "kind": entry.kind,
                "touchpoint": entry.touchpoint,
                "title": entry.title,
                "refs": dict(entry.refs),
                "is_touch": entry.is_touch,
            }
            for entry in entries
        ],
    )


async def open_items(tx: Tx, items: Sequence[OpenItem]) -> None:
    """Remember what is open; what was open already gets its new state."""
    await tx.many(
        _OPEN,
        [
            {
                "tenant_id": tx.tenant,
                "ref": item.ref,
                "customer_id": item.customer_id,
                "kind": item.kind.value,
                "title": item.title,
                "state": item.state,
                "since": item.since,
            }
            for item in items
        ],
    )


async def close_items(tx: Tx, refs: Sequence[str]) -> None:
    """Forget what isn't open any more."""
    await tx.run(_CLOSE, {"refs": list(refs)})


async def refresh_cards(tx: Tx, ids: Sequence[UUID], *, now: datetime) -> None:
    """Bring the cards of answering customers up to date with what lies below; in id order, lest writers deadlock."""
    await tx.run(_REFRESH, {"ids": sorted(set(ids)), "now": now})


async def drop_cards(tx: Tx, ids: Sequence[UUID]) -> None:
    """Take away the cards of records that no longer answer for themselves."""
    await tx.run(_DROP_CARDS, {"ids": list(ids)})


async def set_mood(tx: Tx, customer_id: UUID, mood: Mood) -> None:
    """Show a satisfaction score on the card, unless a later one is there."""
    shown = {"kind": mood.kind, "score": mood.score, "scale_max": mood.scale_max, "at": mood.at.isoformat()}
    await tx.run(_SET_MOOD, {"customer": customer_id, "mood": shown, "at": mood.at})


async def set_lifecycles(tx: Tx, states: Sequence[tuple[UUID, str]]) -> None:
    """Show lifecycle states on the cards."""
    await tx.many(_SET_LIFECYCLE, [{"customer": customer_id, "value": state} for customer_id, state in states])


async def set_value_groups(tx: Tx, groups: Sequence[tuple[UUID, str]]) -> None:
    """Show value groups on the cards."""
    await tx.many(_SET_VALUE, [{"customer": customer_id, "value": group} for customer_id, group in groups])


async def card(tx: Tx, customer_id: UUID) -> Card | None:
    """The card, in one indexed query."""
    row = await tx.one(_CARD, {"id": customer_id})
    return None if row is None else _card(row)


def _card(row: Record) -> Card:
    return Card(
        customer_id=row["customer_id"],
        display_name=row["display_name"],
        kind=row["kind"],
        category=row["category"],
        language=row["language"],
        lifecycle=row["lifecycle"],
        value_group=row["value_group"],
        open_deals=row["open_deals"],
        open_tickets=row["open_tickets"],
        mood=row["mood"],
        consents=row["consents"],
        touches=tuple(row["touches"]),
        updated_at=row["updated_at"],
    )


async def page(
    tx: Tx, ids: Sequence[UUID], shown: Shown, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[Entry]:
    """A page of the timeline of a customer's records, the latest first, with what other systems reported in bulk."""
    lines = union_all(
        *(select(part.subquery()) for part in (_events(ids, shown, after, limit), _facts(ids, shown, after, limit)))
    ).subquery("lines")
    statement = select(lines).order_by(lines.c.at.desc(), lines.c.id.desc()).limit(limit)
    return [
        Entry(
            id=row["id"],
            customer_id=row["customer_id"],
            at=row["at"],
            kind=row["kind"],
            touchpoint=row["touchpoint"],
            title=row["title"],
            refs=row["refs"],
        )
        for row in await tx.all(statement)
    ]


def _events(ids: Sequence[UUID], shown: Shown, after: tuple[datetime, UUID] | None, limit: int) -> Any:
    statement = select(e.id, e.customer_id, e.at, e.kind, e.touchpoint, e.title, e.refs).where(
        any_of(e.customer_id, list(ids))
    )
    if shown.kind is not None:
        statement = statement.where(or_(e.kind == shown.kind, e.kind.startswith(shown.kind + ".", autoescape=True)))
    if shown.touchpoint is not None:
        statement = statement.where(e.touchpoint == shown.touchpoint)
    return _bounded(statement, (e.at, e.id), shown, after).limit(limit)


def _facts(ids: Sequence[UUID], shown: Shown, after: tuple[datetime, UUID] | None, limit: int) -> Any:
    f = money_fact.c
    kind = f.kind.op("||")(literal_column("'.reported'"))
    amount = func.trim_scale(f.amount)
    statement = select(
        f.id,
        f.customer_id,
        f.occurred_at.label("at"),
        kind.label("kind"),
        literal(Touchpoint.SALES.value).label("touchpoint"),
        func.concat_ws(" ", func.initcap(f.kind), amount, f.currency).label("title"),
        func.jsonb_build_object("source", f.source, "external_id", f.external_id, type_=JSONB()).label("refs"),
    ).where(any_of(f.owner_id, list(ids)), f.source != SOURCE_WITH_EVENTS)
    if shown.kind is not None:
        statement = statement.where(or_(kind == shown.kind, f.kind == shown.kind))
    if shown.touchpoint is not None:
        statement = statement.where(literal(shown.touchpoint == Touchpoint.SALES.value))
    return _bounded(statement, (f.occurred_at, f.id), shown, after).limit(limit)


def _bounded(
    statement: Any,
    position: tuple[ColumnElement[datetime], ColumnElement[UUID]],
    shown: Shown,
    after: tuple[datetime, UUID] | None,
) -> Any:
    at, identity = position
    if shown.since is not None:
        statement = statement.where(at >= shown.since)
    if shown.until is not None:
        statement = statement.where(at < shown.until)
    if after is not None:
        statement = statement.where(tuple_(at, identity) < tuple_(after[0], after[1]))
    return statement.order_by(at.desc(), identity.desc())
