"""Statements on tickets and policies. History is only ever inserted."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, insert, literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_contact_center.tickets.domain.cases import (
    Happening,
    HistoryEntry,
    Ticket,
    TicketKind,
    TicketPriority,
    TicketState,
)
from crm_contact_center.tickets.domain.policies import BUILT_IN, Clock, Policy, Target
from crm_contact_center.tickets.tables import sla_notice, sla_policy, ticket, ticket_counter, ticket_event
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param
from crm_shared.tenancy import Viewer

_t, _e, _p, _n = ticket.c, ticket_event.c, sla_policy.c, sla_notice.c

_FIELDS = list(Ticket.__dataclass_fields__)
_FIXED = {"id", "number", "opened_at", "interaction_id", "channel"}
_CHANGING = [name for name in _FIELDS if name not in _FIXED]
_SEEN = select(*(_t[name] for name in _FIELDS))
_GET = _SEEN.where(_t.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_INSERT = insert(ticket).values({name: bindparam(name) for name in ("tenant_id", *_FIELDS)})
_SAVE = update(ticket).where(_t.id == bindparam("i")).values({name: bindparam(f"b_{name}") for name in _CHANGING})
_APPEND = insert(ticket_event).values(
    {name: bindparam(name) for name in ("tenant_id", "ticket_id", "sequence", "happening", "at", "actor", "body")}
)
_HISTORY = (
    select(_e.sequence, _e.happening, _e.at, _e.actor, _e.body)
    .where(_e.ticket_id == bindparam("id"))
    .order_by(_e.sequence)
)
_count = upsert(ticket_counter).values(tenant_id=bindparam("tenant_id"), last=literal_column("1"))
_NEXT_NUMBER = _count.on_conflict_do_update(
    index_elements=[ticket_counter.c.tenant_id], set_={"last": ticket_counter.c.last + 1}
).returning(ticket_counter.c.last)
_NOTICES = select(_n.clock, _n.said).where(_n.ticket_id == bindparam("id"))
_SAY = (
    upsert(sla_notice)
    .values({name: bindparam(name) for name in ("tenant_id", "ticket_id", "clock", "said", "due_at", "at")})
    .on_conflict_do_nothing()
)
_POLICY_FIELDS = [
    "id", "version", "name", "kind", "priority", "value_group", "channel", "targets", "pauses", "warn_percent",
    "calendar_id", "calendar_version",
]  # fmt: skip
_POLICY = select(*(_p[name] for name in _POLICY_FIELDS))
_CURRENT = _POLICY.where(_p.current == 1).order_by(_p.id)
_CURRENT_ONE = _POLICY.where(_p.current == 1, _p.id == bindparam("id"))
# All versions: who waited for a row that has since been outdated would find nothing under `current`.
_LOCK_POLICY = select(_p.version).where(_p.id == bindparam("id")).order_by(_p.version).with_for_update()
_POLICY_VERSION = _POLICY.where(_p.id == bindparam("id"), _p.version == bindparam("version"))
_INSERT_POLICY = insert(sla_policy).values(
    {name: bindparam(name) for name in ("tenant_id", *_POLICY_FIELDS, "current", "made_at")}
)
_OUTDATE = update(sla_policy).where(_p.id == bindparam("i")).values(current=0)
_WORKING_STATES = [
    TicketState.OPEN,
    TicketState.REOPENED,
    TicketState.PENDING_CUSTOMER,
    TicketState.PENDING_DEPARTMENT,
    TicketState.PENDING_SUPPLIER,
]
_SCRUB = (
    update(ticket)
    .where(any_param(_t.customer_id, "ids"))
    .values(subject="(erased)", description=None, expected=None, delivered=None)
)
_OF_CUSTOMERS = select(_t.id).where(any_param(_t.customer_id, "ids"))
_SCRUB_EVENTS = (
    update(ticket_event)
    .where(any_param(_e.ticket_id, "ids"), _e.body.has_key("text"))
    .values(body=_e.body.op("#-")(literal_column("'{text}'::text[]")))
)


async def next_number(tx: Tx) -> int:
    """The tenant's next ticket number; without gaps, as a ticket that isn't opened gives its number back."""
    number: int = await tx.scalar(_NEXT_NUMBER, {"tenant_id": tx.tenant})
    return number


async def insert_ticket(tx: Tx, made: Ticket) -> None:
    """Keep a new ticket."""
    await tx.run(_INSERT, {"tenant_id": tx.tenant, **{name: getattr(made, name) for name in _FIELDS}})


async def get(tx: Tx, ticket_id: UUID) -> Ticket | None:
    """One ticket."""
    row = await tx.one(_GET, {"id": ticket_id})
    return _read(row) if row else None


async def lock(tx: Tx, ticket_id: UUID) -> Ticket | None:
    """One ticket, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": ticket_id})
    return _read(row) if row else None


async def save(tx: Tx, changed: Ticket, *, silently: bool = False) -> Ticket:
    """Keep what has changed of a locked ticket; `silently` leaves its version: nothing a person would see."""
    kept = changed if silently else replace(changed, version=changed.version + 1)
    await tx.run(_SAVE, {"i": kept.id, **{f"b_{name}": getattr(kept, name) for name in _CHANGING}})
    return kept


async def append(tx: Tx, ticket_id: UUID, entry: HistoryEntry) -> None:
    """Add to the history."""
    await tx.run(
        _APPEND,
        {
            "tenant_id": tx.tenant,
            "ticket_id": ticket_id,
            "sequence": entry.sequence,
            "happening": entry.happening.value,
            "at": entry.at,
            "actor": entry.actor,
            "body": entry.body,
        },
    )


async def history(tx: Tx, ticket_id: UUID) -> list[HistoryEntry]:
    """All that happened, in order."""
    return [_entry(row) for row in await tx.all(_HISTORY, {"id": ticket_id})]


async def list_history(
    tx: Tx, viewer: Viewer, filters: Any, ticket_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[HistoryEntry]:
    """A page of what happened, in order."""
    statement = (
        select(_e.sequence, _e.happening, _e.at, _e.actor, _e.body)
        .where(_e.ticket_id == ticket_id)
        .order_by(_e.sequence)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(_e.sequence > after[0])
    return [_entry(row) for row in await tx.all(statement)]


async def open_of(tx: Tx, customer_ids: Collection[UUID]) -> dict[UUID, list[Ticket]]:
    """The tickets still being worked on that are filed under each of these ids."""
    rows = await tx.all(
        _SEEN.where(
            any_of(_t.customer_id, customer_ids), any_of(_t.state, [state.value for state in _WORKING_STATES])
        ).order_by(_t.opened_at)
    )
    found: dict[UUID, list[Ticket]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append(_read(row))
    return found


async def list_tickets(
    tx: Tx,
    viewer: Viewer,
    filters: Any,
    customer_ids: Collection[UUID] | None,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[Ticket]:
    """Tickets, newest first."""
    statement: Select[Any] = _SEEN.order_by(_t.opened_at.desc(), _t.id.desc()).limit(limit)
    if customer_ids is not None:
        statement = statement.where(any_of(_t.customer_id, customer_ids))
    for name in ("state", "kind", "priority", "assignee", "department", "number", "interaction_id"):
        if (wanted := getattr(filters, name)) is not None:
            statement = statement.where(_t[name] == wanted)
    if filters.due_before is not None:
        statement = statement.where(_t.next_due_at < filters.due_before)
    if after is not None:
        statement = statement.where(tuple_(_t.opened_at, _t.id) < tuple_(*after))
    return [_read(row) for row in await tx.all(statement)]


async def solved_between(tx: Tx, since: datetime, until: datetime) -> list[Ticket]:
    """Tickets that were last solved in a time."""
    return [_read(row) for row in await tx.all(_SEEN.where(_t.solved_at >= since, _t.solved_at < until))]


async def notices(tx: Tx, ticket_id: UUID) -> set[tuple[Clock, str]]:
    """What has been said about a ticket's clocks."""
    return {(Clock(row["clock"]), row["said"]) for row in await tx.all(_NOTICES, {"id": ticket_id})}


async def say(tx: Tx, ticket_id: UUID, clock: Clock, said: str, *, due_at: datetime, at: datetime) -> bool:
    """Remember a warning or a breach; says whether this is the first time."""
    params = {
        "tenant_id": tx.tenant,
        "ticket_id": ticket_id,
        "clock": clock.value,
        "said": said,
        "due_at": due_at,
        "at": at,
    }
    return await tx.run(_SAY, params) > 0


async def insert_policy(tx: Tx, made: Policy, now: datetime) -> None:
    """Keep a version of a policy; it becomes the current one."""
    await tx.run(_OUTDATE, {"i": made.id})
    await tx.run(
        _INSERT_POLICY,
        {
            "tenant_id": tx.tenant,
            "id": made.id,
            "version": made.version,
            "name": made.name,
            "kind": made.kind,
            "priority": made.priority,
            "value_group": made.value_group,
            "channel": made.channel,
            "targets": {
                clock.value: {"seconds": target.seconds, "working_days": target.working_days}
                for clock, target in made.targets.items()
            },
            "pauses": None if made.pauses is None else sorted(made.pauses),
            "warn_percent": round(made.warn_at * 100),
            "calendar_id": made.calendar_id,
            "calendar_version": made.calendar_version,
            "current": 1,
            "made_at": now,
        },
    )


async def retire_policy(tx: Tx, policy_id: UUID) -> None:
    """No new ticket falls under it."""
    await tx.run(_OUTDATE, {"i": policy_id})


async def current_policies(tx: Tx) -> list[Policy]:
    """The tenant's policies in their current versions."""
    return [_policy(row) for row in await tx.all(_CURRENT, {})]


async def view_policy(tx: Tx, viewer: Viewer, policy_id: UUID) -> Policy | None:
    """One policy in its current version."""
    row = await tx.one(_CURRENT_ONE, {"id": policy_id})
    return _policy(row) if row else None


async def lock_policy(tx: Tx, policy_id: UUID) -> Policy | None:
    """One policy in its current version, held until the transaction ends."""
    await tx.all(_LOCK_POLICY, {"id": policy_id})
    row = await tx.one(_CURRENT_ONE, {"id": policy_id})
    return _policy(row) if row else None


async def policy_version(tx: Tx, policy_id: UUID, version: int) -> Policy:
    """One version of a policy, current or not, the tenant's own or a built-in one."""
    built_in = next((policy for policy in BUILT_IN if policy.id == policy_id), None)
    if built_in is not None:
        return built_in
    row = await tx.one(_POLICY_VERSION, {"id": policy_id, "version": version})
    assert row is not None, "versions of policies are never deleted"
    return _policy(row)


async def list_policies(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Policy]:
    """Policies by age."""
    statement = _POLICY.where(_p.current == 1).order_by(_p.id).limit(limit)
    if after is not None:
        statement = statement.where(_p.id > after[0])
    return [_policy(row) for row in await tx.all(statement)]


async def scrub(tx: Tx, customer_ids: Collection[UUID]) -> None:
    """Forget what an erased person wrote and was written to; that there was a ticket stays."""
    ids = [row["id"] for row in await tx.all(_OF_CUSTOMERS, {"ids": list(customer_ids)})]
    await tx.run(_SCRUB, {"ids": list(customer_ids)})
    await tx.run(_SCRUB_EVENTS, {"ids": ids})


def _read(row: Record) -> Ticket:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    values["kind"] = TicketKind(row["kind"])
    values["priority"] = TicketPriority(row["priority"])
    values["state"] = TicketState(row["state"])
    return Ticket(**values)


def _entry(row: Record) -> HistoryEntry:
    return HistoryEntry(row["sequence"], Happening(row["happening"]), row["at"], row["actor"], row["body"])


def _policy(row: Record) -> Policy:
    return Policy(
        id=row["id"],
        version=row["version"],
        name=row["name"],
        kind=TicketKind(row["kind"]) if row["kind"] else None,
        priority=TicketPriority(row["priority"]) if row["priority"] else None,
        value_group=row["value_group"],
        channel=row["channel"],
        targets={Clock(clock): Target(**target) for clock, target in row["targets"].items()},
        pauses=None if row["pauses"] is None else frozenset(TicketState(state) for state in row["pauses"]),
        warn_at=row["warn_percent"] / 100,
        calendar_id=row["calendar_id"],
        calendar_version=row["calendar_version"],
    )
