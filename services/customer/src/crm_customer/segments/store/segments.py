"""Segments and their members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, bindparam, delete, func, select, update
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import insert

from crm_customer.parties.domain import fold
from crm_customer.parties.tables import customer
from crm_customer.segments.domain.tree import Rule
from crm_customer.segments.store.compiling import Scope, members
from crm_customer.segments.tables import segment, segment_member, segment_use
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of


class SegmentKind(StrEnum):
    """Whether membership follows the customers, or stands until the next materialisation."""

    DYNAMIC = "dynamic"
    STATIC = "static"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment; `rule` and `materialised_rule` are the tree's JSON."""

    id: UUID
    version: int
    name: str
    description: str | None
    kind: SegmentKind
    rule: Mapping[str, Any]
    materialised_rule: Mapping[str, Any] | None
    materialised_version: int
    materialised_at: datetime | None
    members: int
    operation_id: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A customer in a segment, since when and why."""

    segment_id: UUID
    customer_id: UUID
    version: int
    reason: str
    entered_at: datetime


s, m, u = segment.c, segment_member.c, segment_use.c
_WRITTEN = [column.name for column in segment.columns]
_save = insert(segment).values({name: bindparam(name) for name in _WRITTEN})
_SAVE = _save.on_conflict_do_update(
    index_elements=["tenant_id", "id"],
    set_={name: _save.excluded[name] for name in _WRITTEN if name not in ("tenant_id", "id", "created_at")},
)
_GET = select(segment).where(s.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_ALL = select(segment).order_by(s.id)
_PAGE = (
    select(segment).where(s.id < bindparam("before", type_=SqlUuid())).order_by(s.id.desc()).limit(bindparam("limit"))
)
_ANY_DYNAMIC = select(select(s.id).where(s.kind == SegmentKind.DYNAMIC.value, s.materialised_at.is_not(None)).exists())
_DELETE = delete(segment).where(s.id == bindparam("id"))
_DELETE_MEMBERS = delete(segment_member).where(m.segment_id == bindparam("id"))
_enter = insert(segment_member).from_select(
    [column.name for column in segment_member.columns],
    select(
        bindparam("tenant_id", type_=SqlUuid()),
        bindparam("segment_id", type_=SqlUuid()),
        func.unnest(bindparam("ids", type_=ARRAY(SqlUuid()))),
        bindparam("version", type_=m.version.type),
        bindparam("reason", type_=m.reason.type),
        bindparam("at", type_=m.entered_at.type),
    ),
)
_ENTER = _enter.on_conflict_do_nothing().returning(m.customer_id)
_EXIT = (
    delete(segment_member)
    .where(m.segment_id == bindparam("segment_id"), m.customer_id == func.any(bindparam("ids", type_=ARRAY(SqlUuid()))))
    .returning(m.customer_id)
)
_COUNT_MEMBERS = select(func.count()).select_from(segment_member).where(m.segment_id == bindparam("id"))
_ADD_MEMBERS = update(segment).where(s.id == bindparam("i")).values(members=s.members + bindparam("n"))
_MEMBERS = (
    select(segment_member)
    .where(m.segment_id == bindparam("id"), m.customer_id > bindparam("after", type_=SqlUuid()))
    .order_by(m.customer_id)
    .limit(bindparam("limit"))
)
_OF_CUSTOMER = select(segment_member).where(m.customer_id == bindparam("id")).order_by(m.segment_id)
_USE = insert(segment_use).values({column.name: bindparam(column.name) for column in segment_use.columns})
_ADD_USE = _USE.on_conflict_do_nothing()
_DROP_USE = delete(segment_use).where(u.used_by == bindparam("used_by"))
_USES = select(segment_use).where(u.segment_id == bindparam("id")).order_by(u.used_by)


def _segment(row: Record) -> Segment:
    fields = {name: row[name] for name in _WRITTEN if name not in ("tenant_id", "name_folded", "kind")}
    return Segment(kind=SegmentKind(row["kind"]), **fields)


def _member(row: Record) -> Member:
    return Member(row["segment_id"], row["customer_id"], row["version"], row["reason"], row["entered_at"])


async def save(tx: Tx, item: Segment) -> None:
    """Insert or replace a segment."""
    row = {name: getattr(item, name) for name in _WRITTEN if name not in ("tenant_id", "name_folded", "kind")}
    await tx.run(_SAVE, row | {"tenant_id": tx.tenant, "name_folded": fold(item.name), "kind": item.kind.value})


async def get(tx: Tx, segment_id: UUID) -> Segment | None:
    """One segment."""
    row = await tx.one(_GET, {"id": segment_id})
    return None if row is None else _segment(row)


async def lock(tx: Tx, segment_id: UUID) -> Segment | None:
    """One segment, locked."""
    row = await tx.one(_LOCK, {"id": segment_id})
    return None if row is None else _segment(row)


async def everything(tx: Tx) -> list[Segment]:
    """All segments of the tenant; there are at most a few hundred."""
    return [_segment(row) for row in await tx.all(_ALL, {})]


async def any_dynamic(tx: Tx) -> bool:
    """Whether any segment follows its customers."""
    return bool(await tx.scalar(_ANY_DYNAMIC, {}))


async def page(tx: Tx, *, limit: int, before: UUID) -> list[Segment]:
    """A page of segments, the newest first."""
    return [_segment(row) for row in await tx.all(_PAGE, {"limit": limit, "before": before})]


async def remove(tx: Tx, segment_id: UUID) -> None:
    """Forget a segment and its members."""
    await tx.run(_DELETE_MEMBERS, {"id": segment_id})
    await tx.run(_DELETE, {"id": segment_id})


async def matching(tx: Tx, rule: Rule, as_of: datetime, scope: Scope) -> set[UUID]:
    """Those of a scope of whom the rule holds."""
    return {row["id"] for row in await tx.find(members(rule, as_of, scope))}


async def preview(tx: Tx, rule: Rule, as_of: datetime, *, sample: int) -> tuple[int, list[UUID]]:
    """How many customers the rule finds, and a few of them, the newest first."""
    found = members(rule, as_of, Scope())
    count = await tx.find(select(func.count().label("n")).select_from(found.subquery()))
    newest = found.order_by(customer.c.id.desc()).limit(sample)
    return count[0]["n"], [row["id"] for row in await tx.find(newest)]


async def present(tx: Tx, segment_id: UUID, scope: Scope) -> set[UUID]:
    """Those of a scope who are members now."""
    statement = select(m.customer_id).where(m.segment_id == segment_id, *scope.within(m.customer_id))
    return {row["customer_id"] for row in await tx.all(statement)}


async def enter(tx: Tx, item: Segment, ids: Sequence[UUID], *, reason: str, now: datetime) -> list[UUID]:
    """Make customers members; says who wasn't one before."""
    if not ids:
        return []
    rows = await tx.all(
        _ENTER,
        {
            "tenant_id": tx.tenant,
            "segment_id": item.id,
            "ids": sorted(ids),
            "version": item.materialised_version,
            "reason": reason,
            "at": now,
        },
    )
    return [row["customer_id"] for row in rows]


async def leave(tx: Tx, segment_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """End memberships; says whose."""
    if not ids:
        return []
    rows = await tx.all(_EXIT, {"segment_id": segment_id, "ids": sorted(ids)})
    return [row["customer_id"] for row in rows]


async def add_to_count(tx: Tx, segment_id: UUID, difference: int) -> None:
    """Keep the number of members right."""
    if difference:
        await tx.run(_ADD_MEMBERS, {"i": segment_id, "n": difference})


async def count_members(tx: Tx, segment_id: UUID) -> int:
    """How many members there are, counted."""
    return int(await tx.scalar(_COUNT_MEMBERS, {"id": segment_id}))


async def members_page(tx: Tx, segment_id: UUID, *, limit: int, after: UUID) -> list[Member]:
    """A page of members by customer id."""
    return [_member(row) for row in await tx.all(_MEMBERS, {"id": segment_id, "limit": limit, "after": after})]


async def of_customer(tx: Tx, customer_id: UUID) -> list[Member]:
    """The segments an answering customer is in."""
    return [_member(row) for row in await tx.all(_OF_CUSTOMER, {"id": customer_id})]


async def of_customers(tx: Tx, ids: Sequence[UUID]) -> list[Member]:
    """The segments these customers are in."""
    rows = await tx.all(select(segment_member).where(any_of(m.customer_id, list(ids))).order_by(m.segment_id))
    return [_member(row) for row in rows]


async def use(tx: Tx, segment_id: UUID, used_by: str, name: str) -> None:
    """Remember who uses a segment."""
    await tx.run(_ADD_USE, {"tenant_id": tx.tenant, "segment_id": segment_id, "used_by": used_by, "name": name})


async def disuse(tx: Tx, used_by: str) -> None:
    """Whoever used segments uses them no more."""
    await tx.run(_DROP_USE, {"used_by": used_by})


async def uses(tx: Tx, segment_id: UUID) -> list[tuple[str, str]]:
    """Who uses a segment: public id and name."""
    return [(row["used_by"], row["name"]) for row in await tx.all(_USES, {"id": segment_id})]
