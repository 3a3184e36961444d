"""Reading customer records."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid as SqlUuid
from sqlalchemy import bindparam, func, select

from crm_customer.parties.domain import Change, Customer, Status, united
from crm_customer.parties.store.aliases import aliases_of, canonical, family
from crm_customer.parties.store.rows import AuditEntry, shown_of, to_customer
from crm_customer.parties.tables import customer, customer_alias, customer_audit
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_of, any_param
from crm_shared.tenancy import Viewer

_IS_ALIASED = select(customer_alias.c.alias_id).where(customer_alias.c.customer_id == customer.c.id).exists()
_GET = select(*shown_of(customer), _IS_ALIASED.label("aliased")).where(customer.c.id == bindparam("id"))
_MANY = select(*shown_of(customer)).where(any_param(customer.c.id, "ids"))
_BY_KEYS = (
    select(customer.c.external_id, func.coalesce(customer_alias.c.customer_id, customer.c.id).label("id"))
    .select_from(
        customer.outerjoin(
            customer_alias,
            (customer_alias.c.tenant_id == customer.c.tenant_id) & (customer_alias.c.alias_id == customer.c.id),
        )
    )
    .where(customer.c.external_source == bindparam("source"), any_param(customer.c.external_id, "external_ids"))
)
_HISTORY = (
    select(customer_audit)
    .where(any_param(customer_audit.c.customer_id, "ids"), customer_audit.c.id < bindparam("before", type_=SqlUuid()))
    .order_by(customer_audit.c.id.desc())
    .limit(bindparam("limit"))
)
_PAGE_OF_IDS = (
    select(customer.c.id)
    .where(customer.c.id > bindparam("after", type_=SqlUuid()))
    .order_by(customer.c.id)
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(customer).where(customer.c.status == Status.ACTIVE.value)
LAST_ID = UUID(int=2**128 - 1)


async def get(tx: Tx, customer_id: UUID) -> Customer | None:
    """One customer; a merged record's id finds its survivor, whose contact points are those of both."""
    row = await tx.one(_GET, {"id": customer_id})
    if row is not None and row["status"] == Status.MERGED.value:
        # Two look-ups by key: with the survivor's id computed inside the statement, no index of ids serves it.
        row = await tx.one(_GET, {"id": (await canonical(tx, [customer_id]))[customer_id]})
    if row is None:
        return None
    found = to_customer(row)
    if not row["aliased"]:
        return found
    aliases = await many(tx, await aliases_of(tx, found.id))
    points = united([found.profile.contact_points, *(alias.profile.contact_points for alias in aliases)])
    return replace(found, profile=replace(found.profile, contact_points=points))


async def answering(tx: Tx, ids: Sequence[UUID]) -> list[Customer]:
    """The customers that answer for these ids, ordered as asked, each once."""
    found = await many(tx, ids)
    if any(each.status is Status.MERGED for each in found):
        survivors = await canonical(tx, ids)
        found = await many(tx, list(dict.fromkeys(survivors[each] for each in ids)))
    return found


async def many(tx: Tx, ids: Sequence[UUID]) -> list[Customer]:
    """Customer records by id, ordered as asked; missing ones are left out."""
    found = {row["id"]: to_customer(row) for row in await tx.all(_MANY, {"ids": list(ids)})}
    return [found[each] for each in ids if each in found]


async def ids_by_external(tx: Tx, source: str, external_ids: Sequence[str]) -> dict[str, UUID]:
    """The customers behind another system's ids; a merged record leads to its survivor."""
    rows = await tx.all(_BY_KEYS, {"source": source, "external_ids": list(external_ids)})
    return {row["external_id"]: row["id"] for row in rows}


async def ids_by_keys(tx: Tx, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """The customers behind pairs of another system's name and its id."""
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    for source, external_id in keys:
        wanted[source].append(external_id)
    found: dict[tuple[str, str], UUID] = {}
    for source, external_ids in wanted.items():
        ids = await ids_by_external(tx, source, external_ids)
        found |= {(source, external_id): customer_id for external_id, customer_id in ids.items()}
    return found


async def history(
    tx: Tx, viewer: Viewer, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[AuditEntry]:
    """A page of what changed about a customer and the records it answers for, newest first."""
    _, ids = await family(tx, customer_id)
    rows = await tx.all(_HISTORY, {"ids": ids, "before": after[-1] if after else LAST_ID, "limit": limit})
    return [
        AuditEntry(
            id=row["id"],
            customer_id=row["customer_id"],
            at=row["at"],
            actor=row["actor"],
            action=row["action"],
            changes=tuple(Change(item["field"], item["old"], item["new"]) for item in row["changes"]),
        )
        for row in rows
    ]


async def page_of_ids(tx: Tx, *, after: UUID, limit: int) -> list[UUID]:
    """The next record ids in their order, merged records too; how jobs walk over all customers."""
    return [row["id"] for row in await tx.all(_PAGE_OF_IDS, {"after": after, "limit": limit})]


async def count(tx: Tx) -> int:
    """How many active customers the tenant has; for progress only, since it reads them all."""
    return int(await tx.scalar(_COUNT, {}))


async def existing(tx: Tx, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these ids are customer records."""
    rows = await tx.all(select(customer.c.id).where(any_of(customer.c.id, list(ids))))
    return {row["id"] for row in rows}
