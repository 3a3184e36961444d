"""Statements on interactions. History is only ever inserted."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, insert, select, tuple_, update

from crm_contact_center.interactions.domain import (
    Direction,
    Happening,
    HistoryEntry,
    Interaction,
    InteractionChannel,
    InteractionState,
    Leg,
    Participant,
)
from crm_contact_center.interactions.tables import (
    interaction,
    interaction_event,
    interaction_leg,
    interaction_participant,
)
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param
from crm_shared.tenancy import Viewer

_i, _l, _p, _e = interaction.c, interaction_leg.c, interaction_participant.c, interaction_event.c

# Thousands are read when offers are made: a look-up is cheaper than an enumeration's call.
_CHANNELS = {one.value: one for one in InteractionChannel}
_DIRECTIONS = {one.value: one for one in Direction}
_STATES = {one.value: one for one in InteractionState}
FIELDS = list(Interaction.__dataclass_fields__)
_LEG_FIELDS = list(Leg.__dataclass_fields__)
_PARTICIPANT_FIELDS = list(Participant.__dataclass_fields__)
_CHANGING = [
    "from_address", "subject", "customer_id", "recognised", "state", "queue_id", "agent_id", "answered_at", "ended_at",
    "held_since", "hold_s", "disposition", "last_event", "version",
]  # fmt: skip
_SEEN = select(*(_i[name] for name in FIELDS))
_GET = _SEEN.where(_i.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_MANY = _SEEN.where(any_param(_i.id, "ids"))
_INSERT = insert(interaction).values({name: bindparam(name) for name in ("tenant_id", *FIELDS)})
_SAVE = update(interaction).where(_i.id == bindparam("i")).values({name: bindparam(f"b_{name}") for name in _CHANGING})
_APPEND = insert(interaction_event).values(
    {name: bindparam(name) for name in ("tenant_id", "interaction_id", "sequence", "happening", "at", "actor", "body")}
)
_JOIN = insert(interaction_participant).values(
    {name: bindparam(name) for name in ("tenant_id", "interaction_id", "number", *_PARTICIPANT_FIELDS)}
)
_NEXT_NUMBER = select(func.coalesce(func.max(_p.number), 0) + 1).where(_p.interaction_id == bindparam("id"))
_LEAVE = (
    update(interaction_participant)
    .where(_p.interaction_id == bindparam("i"), _p.agent_id == bindparam("a"), _p.left_at.is_(None))
    .values(left_at=bindparam("at"))
)
_ALL_LEAVE = (
    update(interaction_participant)
    .where(_p.interaction_id == bindparam("i"), _p.left_at.is_(None))
    .values(left_at=bindparam("at"))
)
_BEGIN_LEG = insert(interaction_leg).values({name: bindparam(name) for name in ("tenant_id", *_LEG_FIELDS)})
_END_LEG = (
    update(interaction_leg)
    .where(_l.interaction_id == bindparam("i"), _l.ended_at.is_(None))
    .values(
        ended_at=bindparam("at"), hold_s=_l.hold_s + bindparam("h", type_=_l.hold_s.type), end_reason=bindparam("r")
    )
    .returning(*(_l[name] for name in _LEG_FIELDS))
)
_LEGS = select(*(_l[name] for name in _LEG_FIELDS)).where(_l.interaction_id == bindparam("id")).order_by(_l.began_at)
_PARTICIPANTS = (
    select(*(_p[name] for name in _PARTICIPANT_FIELDS)).where(_p.interaction_id == bindparam("id")).order_by(_p.number)
)
_LATEST_OF = (
    select(_i.id)
    .where(
        any_param(_i.customer_id, "ids"),
        _i.direction == Direction.INBOUND.value,
        _i.started_at >= bindparam("since", type_=_i.started_at.type),
    )
    .order_by(_i.started_at.desc())
    .limit(1)
)
_LAST_AGENT = (
    select(_i.agent_id)
    .where(
        any_param(_i.customer_id, "ids"),
        _i.agent_id.is_not(None),
        _i.answered_at >= bindparam("since", type_=_i.started_at.type),
    )
    .order_by(_i.started_at.desc())
    .limit(1)
)
_SCRUB = update(interaction).where(any_param(_i.customer_id, "ids")).values(from_address=None, subject=None)
_OF_CUSTOMERS = select(_i.id).where(any_param(_i.customer_id, "ids"))
_SCRUB_EVENTS = (
    update(interaction_event)
    .where(
        any_param(_e.interaction_id, "ids"),
        any_of(
            _e.happening,
            [
                one.value
                for one in (
                    Happening.MESSAGE,
                    Happening.NOTE,
                    Happening.KEY_PRESS,
                    Happening.RECORDING,
                    Happening.DEMAND,
                )
            ],
        ),
    )
    .values(body=bindparam("empty", type_=_e.body.type))
)
_SCRUB_PEOPLE = update(interaction_participant).where(any_param(_p.interaction_id, "ids")).values(address=None)


async def insert_interaction(tx: Tx, made: Interaction) -> None:
    """Keep a new interaction."""
    await tx.run(_INSERT, {"tenant_id": tx.tenant, **{name: getattr(made, name) for name in FIELDS}})


async def get(tx: Tx, interaction_id: UUID) -> Interaction | None:
    """One interaction."""
    row = await tx.one(_GET, {"id": interaction_id})
    return read(row) if row else None


async def view(tx: Tx, viewer: Viewer, interaction_id: UUID) -> tuple[Interaction, list[Leg], list[Participant]] | None:
    """One interaction with those who took part."""
    found = await get(tx, interaction_id)
    if found is None:
        return None
    people = [Participant(*row) for row in await tx.all(_PARTICIPANTS, {"id": interaction_id})]
    return found, await legs(tx, interaction_id), people


async def lock(tx: Tx, interaction_id: UUID) -> Interaction | None:
    """One interaction, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": interaction_id})
    return read(row) if row else None


async def get_many(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Interaction]:
    """These interactions by id."""
    return {row["id"]: read(row) for row in await tx.all(_MANY, {"ids": list(ids)})}


async def save(tx: Tx, changed: Interaction) -> Interaction:
    """Keep what has changed of a locked interaction; gives it back with its new version."""
    kept = replace(changed, version=changed.version + 1)
    await tx.run(_SAVE, {"i": kept.id, **{f"b_{name}": getattr(kept, name) for name in _CHANGING}})
    return kept


async def append(tx: Tx, interaction_id: UUID, entry: HistoryEntry) -> None:
    """Add to the history."""
    await tx.run(
        _APPEND,
        {
            "tenant_id": tx.tenant,
            "interaction_id": interaction_id,
            "sequence": entry.sequence,
            "happening": entry.happening.value,
            "at": entry.at,
            "actor": entry.actor,
            "body": entry.body,
        },
    )


async def join(tx: Tx, interaction_id: UUID, who: Participant) -> None:
    """Somebody comes into the conversation."""
    number = await tx.scalar(_NEXT_NUMBER, {"id": interaction_id})
    values = {name: getattr(who, name) for name in _PARTICIPANT_FIELDS}
    await tx.run(_JOIN, {"tenant_id": tx.tenant, "interaction_id": interaction_id, "number": number, **values})


async def leave(tx: Tx, interaction_id: UUID, agent_id: UUID | None, at: datetime) -> None:
    """An agent (or everybody) goes."""
    if agent_id is None:
        await tx.run(_ALL_LEAVE, {"i": interaction_id, "at": at})
    else:
        await tx.run(_LEAVE, {"i": interaction_id, "a": agent_id, "at": at})


async def begin_leg(tx: Tx, leg: Leg) -> None:
    """An agent begins to take part; the unique index allows one at a time."""
    await tx.run(_BEGIN_LEG, {"tenant_id": tx.tenant, **{name: getattr(leg, name) for name in _LEG_FIELDS}})


async def end_leg(tx: Tx, interaction_id: UUID, *, at: datetime, hold_s: int, reason: str) -> Leg | None:
    """The open leg ends; None if there is none."""
    row = await tx.one(_END_LEG, {"i": interaction_id, "at": at, "h": hold_s, "r": reason})
    return Leg(*row) if row else None


async def legs(tx: Tx, interaction_id: UUID) -> list[Leg]:
    """All legs, oldest first."""
    return [Leg(*row) for row in await tx.all(_LEGS, {"id": interaction_id})]


async def latest_of(tx: Tx, customer_ids: Collection[UUID], *, since: datetime) -> UUID | None:
    """The person's last inbound interaction since a moment."""
    return await tx.scalar(_LATEST_OF, {"ids": list(customer_ids), "since": since})


async def last_agent_of(tx: Tx, customer_ids: Collection[UUID], *, since: datetime) -> UUID | None:
    """Who talked to this person last, since a moment."""
    return await tx.scalar(_LAST_AGENT, {"ids": list(customer_ids), "since": since})


async def recent_of(tx: Tx, customer_ids: Collection[UUID], limit: int) -> dict[UUID, list[Interaction]]:
    """The last interactions filed under each of these ids, newest first."""
    ranked = (
        select(
            *(_i[name] for name in FIELDS),
            func.row_number().over(partition_by=_i.customer_id, order_by=_i.started_at.desc()).label("rank"),
        )
        .where(any_of(_i.customer_id, customer_ids))
        .subquery()
    )
    rows = await tx.all(select(ranked).where(ranked.c.rank <= limit).order_by(ranked.c.started_at.desc()))
    found: dict[UUID, list[Interaction]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append(read(row))
    return found


async def list_interactions(
    tx: Tx,
    viewer: Viewer,
    filters: Any,
    customer_ids: Collection[UUID] | None,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[Interaction]:
    """Interactions, newest first."""
    statement: Select[Any] = _SEEN.order_by(_i.started_at.desc(), _i.id.desc()).limit(limit)
    if customer_ids is not None:
        statement = statement.where(any_of(_i.customer_id, customer_ids))
    for name in ("state", "channel", "direction", "queue_id", "agent_id"):
        if (wanted := getattr(filters, name)) is not None:
            statement = statement.where(_i[name] == wanted)
    if after is not None:
        statement = statement.where(tuple_(_i.started_at, _i.id) < tuple_(*after))
    return [read(row) for row in await tx.all(statement)]


async def history(
    tx: Tx, viewer: Viewer, filters: Any, interaction_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[HistoryEntry]:
    """What happened, in order."""
    statement = (
        select(_e.sequence, _e.happening, _e.at, _e.actor, _e.body)
        .where(_e.interaction_id == interaction_id)
        .order_by(_e.sequence)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(_e.sequence > after[0])
    return [_entry(row) for row in await tx.all(statement)]


async def happenings(
    tx: Tx, *, since: datetime, until: datetime, kinds: Collection[Happening]
) -> list[tuple[UUID, HistoryEntry]]:
    """What happened in all interactions in a time."""
    rows = await tx.all(
        select(_e.interaction_id, _e.sequence, _e.happening, _e.at, _e.actor, _e.body)
        .where(_e.at >= since, _e.at < until, any_of(_e.happening, [kind.value for kind in kinds]))
        .order_by(_e.at, _e.interaction_id, _e.sequence)
    )
    return [(row["interaction_id"], _entry(row)) for row in rows]


async def scrub(tx: Tx, customer_ids: Collection[UUID]) -> None:
    """Forget what an erased person wrote and where from; that a conversation took place stays."""
    ids = [row["id"] for row in await tx.all(_OF_CUSTOMERS, {"ids": list(customer_ids)})]
    await tx.run(_SCRUB, {"ids": list(customer_ids)})
    await tx.run(_SCRUB_EVENTS, {"ids": ids, "empty": {"erased": True}})
    await tx.run(_SCRUB_PEOPLE, {"ids": ids})


def read(row: Record) -> Interaction:
    """An interaction from a row that begins with all its fields."""
    values: dict[str, Any] = dict(zip(FIELDS, row.values(), strict=False))
    values["channel"] = _CHANNELS[values["channel"]]
    values["direction"] = _DIRECTIONS[values["direction"]]
    values["state"] = _STATES[values["state"]]
    return Interaction(**values)


def _entry(row: Record) -> HistoryEntry:
    return HistoryEntry(row["sequence"], Happening(row["happening"]), row["at"], row["actor"], row["body"])
