"""Every statement on audiences."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, Uuid, bindparam, column, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_communication_dispatch.audiences.domain import Audience, AudienceStatus
from crm_communication_dispatch.audiences.tables import audience, audience_member
from crm_communication_dispatch.customers.store import member_at
from crm_communication_dispatch.customers.tables import segment_member
from crm_shared.db.pool import Record, Tx

_a, _m = audience, audience_member
_COLUMNS = tuple(_a.c[name] for name in Audience.__dataclass_fields__)
_GET = select(*_COLUMNS).where(_a.c.id == bindparam("id", type_=Uuid()))
_LOCK = _GET.with_for_update()
_WAITING = select(_a.c.id).where(
    _a.c.segment_id == bindparam("segment", type_=Uuid()), _a.c.status == AudienceStatus.WAITING.value
)
_SEGMENT_PAGE = (
    select(segment_member.c.customer_id)
    .where(
        segment_member.c.segment_id == bindparam("segment", type_=Uuid()),
        member_at(bindparam("at_version", type_=Integer())),
        segment_member.c.customer_id > bindparam("after", type_=Uuid()),
    )
    .group_by(segment_member.c.customer_id)
    .order_by(segment_member.c.customer_id)
    .limit(bindparam("n"))
)
_given = (
    func.unnest(
        bindparam("g_customer", type_=ARRAY(Uuid())),
        bindparam("g_reached", type_=ARRAY(Uuid())),
        bindparam("g_excluded", type_=ARRAY(Text())),
    )
    .table_valued(column("g_customer", Uuid()), column("g_reached", Uuid()), column("g_excluded", Text()), name="given")
    .render_derived(name="given")
)
_ADD = (
    upsert(_m)
    .from_select(
        ["tenant_id", "audience_id", "customer_id", "reached_id", "excluded"],
        select(
            bindparam("tenant", type_=Uuid()),
            bindparam("audience", type_=Uuid()),
            _given.c.g_customer,
            _given.c.g_reached,
            _given.c.g_excluded,
        ).order_by(_given.c.g_customer),
    )
    .on_conflict_do_nothing()
    .returning(_m.c.customer_id)
)
_TOTALS = (
    select(_m.c.excluded, func.count().label("n"))
    .where(_m.c.audience_id == bindparam("id", type_=Uuid()))
    .group_by(_m.c.excluded)
)
_INCLUDED = (
    select(_m.c.customer_id)
    .where(
        _m.c.audience_id == bindparam("id", type_=Uuid()),
        _m.c.excluded.is_(None),
        _m.c.customer_id > bindparam("after", type_=Uuid()),
    )
    .order_by(_m.c.customer_id)
    .limit(bindparam("n"))
)
FIRST = UUID(int=0)


def _read(row: Record) -> Audience:
    fields: dict[str, Any] = dict(row)
    fields["status"] = AudienceStatus(fields["status"])
    return Audience(**fields)


async def get(tx: Tx, audience_id: UUID) -> Audience | None:
    """One audience."""
    row = await tx.one(_GET, {"id": audience_id})
    return _read(row) if row else None


async def lock(tx: Tx, audience_id: UUID) -> Audience | None:
    """One audience, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": audience_id})
    return _read(row) if row else None


async def waiting_for(tx: Tx, segment_id: UUID) -> list[UUID]:
    """The audiences that wait for a segment to be complete."""
    return [row["id"] for row in await tx.all(_WAITING, {"segment": segment_id})]


async def add(tx: Tx, of: Audience) -> None:
    """Write a new audience."""
    fields = {name: getattr(of, name) for name in Audience.__dataclass_fields__}
    await tx.run(insert(_a).values(tenant_id=tx.tenant, **{**fields, "status": of.status.value}))


async def change(tx: Tx, audience_id: UUID, **values: Any) -> Audience:
    """Change columns of an audience, and its version."""
    row = await tx.one(
        update(_a).where(_a.c.id == audience_id).values(version=_a.c.version + 1, **values).returning(*_COLUMNS)
    )
    assert row is not None
    return _read(row)


async def list_audiences(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Audience]:
    """Audiences, newest first."""
    statement = select(*_COLUMNS).order_by(_a.c.created_at.desc(), _a.c.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(_a.c.created_at, _a.c.id) < after)
    return [_read(row) for row in await tx.all(statement)]


async def segment_page(tx: Tx, segment_id: UUID, version: int, *, after: UUID, limit: int) -> list[UUID]:
    """Members of a segment at a version, in order of their ids."""
    params = {"segment": segment_id, "at_version": version, "after": after, "n": limit}
    return [row["customer_id"] for row in await tx.all(_SEGMENT_PAGE, params)]


async def add_members(tx: Tx, audience_id: UUID, members: Sequence[tuple[UUID, UUID, str | None]]) -> set[UUID]:
    """Write `(customer, whom it reaches, why excluded)` rows; gives those that were new and reached nobody twice."""
    params = {
        "tenant": tx.tenant,
        "audience": audience_id,
        "g_customer": [member[0] for member in members],
        "g_reached": [member[1] for member in members],
        "g_excluded": [member[2] for member in members],
    }
    return {row["customer_id"] for row in await tx.all(_ADD, params)}


async def totals(tx: Tx, audience_id: UUID) -> tuple[int, dict[str, int]]:
    """How many are included, and how many excluded for each reason."""
    counted = {row["excluded"]: row["n"] for row in await tx.all(_TOTALS, {"id": audience_id})}
    included = counted.pop(None, 0)
    return included, counted


async def included_page(tx: Tx, audience_id: UUID, *, after: UUID, limit: int) -> list[UUID]:
    """Included members, in order of their ids."""
    rows = await tx.all(_INCLUDED, {"id": audience_id, "after": after, "n": limit})
    return [row["customer_id"] for row in rows]
