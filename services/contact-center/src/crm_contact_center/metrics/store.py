"""Statements on figures: measuring them from the rows of routing and tickets, keeping and reading them."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, bindparam, cast, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql import ClauseElement

from crm_contact_center.interactions.tables import interaction
from crm_contact_center.metrics.domain.figures import COUNTS, NO_QUEUE, AgentTime, Cell, Counts
from crm_contact_center.metrics.tables import metric_agent, metric_closed, metric_interval
from crm_contact_center.routing.tables import queue_visit, reservation
from crm_contact_center.tickets.tables import sla_notice, ticket, ticket_event
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_of

_v, _r, _m, _a, _c = queue_visit.c, reservation.c, metric_interval.c, metric_agent.c, metric_closed.c

_DROP = delete(metric_interval).where(_m.starts_at == bindparam("at"))
_KEEP = insert(metric_interval).values(
    {name: bindparam(name) for name in ("tenant_id", "starts_at", "queue_id", "channel", *COUNTS)}
)
_TIMES = ("engaged_us", "idle_us", "wrap_us", "break_us")
_DROP_AGENTS = delete(metric_agent).where(_a.starts_at == bindparam("at"))
_KEEP_AGENT = insert(metric_agent).values(
    {name: bindparam(name) for name in ("tenant_id", "starts_at", "agent_id", *_TIMES)}
)
_close = upsert(metric_closed).values({name: bindparam(name) for name in ("tenant_id", "starts_at", "closed_at")})
_CLOSE = _close.on_conflict_do_update(
    index_elements=[_c.tenant_id, _c.starts_at], set_={"closed_at": _close.excluded.closed_at}
)


async def measure(tx: Tx, since: datetime, until: datetime) -> dict[Cell, Counts]:
    """The counts of a time, from the rows as they are: the same for parts of it, added up."""
    found: dict[Cell, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for statement in (_entered(since, until), _left(since, until), _handled(since, until), _wrapped(since, until)):
        for row in await tx.all(statement):
            values = dict(row)
            cell = found[values.pop("queue_id"), values.pop("channel")]
            for name, value in values.items():
                cell[name] += int(value or 0)
    for row in await tx.all(_solved(since, until)):
        cell = found[NO_QUEUE, row["channel"]]
        cell["tickets_solved"] += row["solved"]
        cell["tickets_kept"] += row["solved"] - row["broken"]
    return {cell: Counts(**counts) for cell, counts in found.items()}


async def keep(tx: Tx, starts_at: datetime, counts: Mapping[Cell, Counts]) -> None:
    """These are the counts of an interval, whatever was there before."""
    await tx.run(_DROP, {"at": starts_at})
    await tx.many(
        _KEEP,
        [
            {
                "tenant_id": tx.tenant,
                "starts_at": starts_at,
                "queue_id": queue_id,
                "channel": channel,
                **{name: getattr(found, name) for name in COUNTS},
            }
            for (queue_id, channel), found in counts.items()
        ],
    )


async def keep_agents(tx: Tx, starts_at: datetime, times: Mapping[UUID, AgentTime]) -> None:
    """This is what agents' time went into in an interval."""
    await tx.run(_DROP_AGENTS, {"at": starts_at})
    await tx.many(
        _KEEP_AGENT,
        [
            {
                "tenant_id": tx.tenant,
                "starts_at": starts_at,
                "agent_id": agent_id,
                **{name: getattr(time, name) for name in _TIMES},
            }
            for agent_id, time in times.items()
        ],
    )


async def close(tx: Tx, starts_at: datetime, now: datetime) -> None:
    """An interval's figures are kept."""
    await tx.run(_CLOSE, {"tenant_id": tx.tenant, "starts_at": starts_at, "closed_at": now})


async def closed_between(tx: Tx, since: datetime, until: datetime) -> set[datetime]:
    """The intervals whose figures are kept."""
    rows = await tx.all(select(_c.starts_at).where(_c.starts_at >= since, _c.starts_at < until))
    return {row["starts_at"] for row in rows}


async def kept(tx: Tx, since: datetime, until: datetime) -> dict[tuple[datetime, Cell], Counts]:
    """The figures that are kept, by interval, queue and channel."""
    rows = await tx.all(select(metric_interval).where(_m.starts_at >= since, _m.starts_at < until))
    return {
        (row["starts_at"], (row["queue_id"], row["channel"])): Counts(*(row[name] for name in COUNTS)) for row in rows
    }


async def kept_agents(tx: Tx, since: datetime, until: datetime) -> dict[tuple[datetime, UUID], AgentTime]:
    """What agents' time went into, by interval and agent."""
    rows = await tx.all(select(metric_agent).where(_a.starts_at >= since, _a.starts_at < until))
    return {(row["starts_at"], row["agent_id"]): AgentTime(*(row[name] for name in _TIMES)) for row in rows}


async def conversations(tx: Tx, since: datetime, until: datetime) -> dict[UUID, list[tuple[datetime, datetime | None]]]:
    """When each agent was in conversation in a time."""
    rows = await tx.all(
        select(_r.agent_id, _r.accepted_at, _r.ended_at).where(
            _r.accepted_at < until, (_r.ended_at.is_(None)) | (_r.ended_at > since)
        )
    )
    found: dict[UUID, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for row in rows:
        found[row["agent_id"]].append((row["accepted_at"], row["ended_at"]))
    return found


async def agents_of_queues(tx: Tx, queue_ids: Collection[UUID], since: datetime, until: datetime) -> set[UUID]:
    """Who was reserved for contacts of these queues in a time."""
    rows = await tx.all(
        select(_r.agent_id.label("id"))
        .distinct()
        .where(
            any_of(_r.queue_id, queue_ids), _r.created_at < until, (_r.closed_at.is_(None)) | (_r.closed_at >= since)
        )
    )
    return {row["id"] for row in rows}


def _us(later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[int]:
    """A time between two instants in whole microseconds, exactly: `extract(epoch …)` is numeric."""
    return cast(func.extract("epoch", later - earlier) * 1_000_000, BigInteger)


def _entered(since: datetime, until: datetime) -> ClauseElement:
    joined = queue_visit.join(
        interaction, (interaction.c.tenant_id == _v.tenant_id) & (interaction.c.id == _v.interaction_id)
    )
    return (
        select(
            _v.queue_id,
            _v.channel,
            func.count().label("offered"),
            func.count().filter(interaction.c.repeat_of.is_not(None)).label("repeats"),
        )
        .select_from(joined)
        .where(_v.entered_at >= since, _v.entered_at < until)
        .group_by(_v.queue_id, _v.channel)
    )


def _left(since: datetime, until: datetime) -> ClauseElement:
    wait_us = _us(_v.left_at, _v.entered_at)
    in_time = wait_us <= _v.service_level_s * 1_000_000
    answered, abandoned = _v.state == "answered", _v.state == "abandoned"
    return (
        select(
            _v.queue_id,
            _v.channel,
            func.count().filter(answered).label("answered"),
            func.count().filter(answered, in_time).label("answered_in_time"),
            func.count().filter(abandoned).label("abandoned"),
            func.count().filter(abandoned, in_time).label("abandoned_in_time"),
            func.count().filter(_v.state == "withdrawn").label("withdrawn"),
            func.sum(wait_us).filter(answered).label("wait_answered_us"),
            func.sum(wait_us).filter(abandoned).label("wait_abandoned_us"),
        )
        .where(_v.left_at >= since, _v.left_at < until)
        .group_by(_v.queue_id, _v.channel)
    )


def _handled(since: datetime, until: datetime) -> ClauseElement:
    hold_us = cast(_r.hold_s, BigInteger) * 1_000_000
    return (
        select(
            _r.queue_id,
            _r.channel,
            func.count().label("handled"),
            func.sum(_us(_r.ended_at, _r.accepted_at) - hold_us).label("talk_us"),
            func.sum(hold_us).label("hold_us"),
        )
        .where(_r.ended_at >= since, _r.ended_at < until)
        .group_by(_r.queue_id, _r.channel)
    )


def _wrapped(since: datetime, until: datetime) -> ClauseElement:
    return (
        select(_r.queue_id, _r.channel, func.sum(_us(_r.closed_at, _r.ended_at)).label("wrap_us"))
        .where(_r.closed_at >= since, _r.closed_at < until, _r.state == "completed", _r.ended_at.is_not(None))
        .group_by(_r.queue_id, _r.channel)
    )


def _solved(since: datetime, until: datetime) -> ClauseElement:
    happened, notice = ticket_event.c, sla_notice.c
    broken = (
        select(notice.ticket_id)
        .where(
            notice.tenant_id == happened.tenant_id,
            notice.ticket_id == happened.ticket_id,
            notice.said == "breached",
            notice.due_at <= happened.at,
        )
        .exists()
    )
    joined = ticket_event.join(ticket, (ticket.c.tenant_id == happened.tenant_id) & (ticket.c.id == happened.ticket_id))
    return (
        select(ticket.c.channel, func.count().label("solved"), func.count().filter(broken).label("broken"))
        .select_from(joined)
        .where(happened.happening == "solved", happened.at >= since, happened.at < until)
        .group_by(ticket.c.channel)
    )
