"""Reading and keeping the local copy of customers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Table, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.customers.domain import Customer
from crm_sales_pipeline.customers.tables import customer, customer_alias
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of

_COLUMNS = ("kind", "display_name", "language", "country", "email", "email_folded", "phone")
_insert = insert(customer).values(
    tenant_id=bindparam("tenant_id"),
    id=bindparam("id"),
    known=True,
    **{name: bindparam(name) for name in _COLUMNS},
)
_UPSERT = _insert.on_conflict_do_update(
    index_elements=[customer.c.tenant_id, customer.c.id],
    set_={"known": True, **{name: _insert.excluded[name] for name in _COLUMNS}},
    where=customer.c.erased_at.is_(None),
)
_STUB = (
    insert(customer)
    .values(tenant_id=bindparam("tenant_id"), id=bindparam("id"), known=False)
    .on_conflict_do_nothing(index_elements=[customer.c.tenant_id, customer.c.id])
)
_GET = select(customer).where(customer.c.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_SET_LIFECYCLE = update(customer).where(customer.c.id == bindparam("key")).values(lifecycle=bindparam("value"))
_SET_VALUE = update(customer).where(customer.c.id == bindparam("key")).values(value_group=bindparam("value"))
_ERASE = (
    update(customer)
    .where(customer.c.id == bindparam("key"))
    .values(erased_at=bindparam("at"), known=True, lifecycle=None, value_group=None, **dict.fromkeys(_COLUMNS))
)
_BY_EMAIL = (
    select(customer.c.id)
    .where(customer.c.email_folded == bindparam("email_folded"), customer.c.erased_at.is_(None))
    .limit(2)
)
_ALIASES = select(customer_alias.c.merged_id, customer_alias.c.survivor_id)
_ROOT = select(customer_alias.c.root_id).where(customer_alias.c.merged_id == bindparam("id"))
_MEMBERS = select(customer_alias.c.merged_id).where(customer_alias.c.root_id == bindparam("root_id"))
_alias_insert = insert(customer_alias).values(
    tenant_id=bindparam("tenant_id"),
    merged_id=bindparam("merged_id"),
    survivor_id=bindparam("survivor_id"),
    root_id=bindparam("survivor_id"),
)
_ADD_ALIAS = _alias_insert.on_conflict_do_update(
    index_elements=[customer_alias.c.tenant_id, customer_alias.c.merged_id],
    set_={"survivor_id": _alias_insert.excluded.survivor_id},
)
_DROP_ALIAS = delete(customer_alias).where(customer_alias.c.merged_id == bindparam("id"))
_SET_ROOT = (
    update(customer_alias).where(customer_alias.c.merged_id == bindparam("key")).values(root_id=bindparam("value"))
)


class CustomerState(TypedDict):
    """What a customer's own event fills in."""

    id: UUID
    kind: str | None
    display_name: str | None
    language: str | None
    country: str | None
    email: str | None
    phone: str | None


async def fill(tx: Tx, states: Sequence[CustomerState]) -> None:
    """Write customers' full state; an erased customer stays erased."""
    await tx.many(
        _UPSERT,
        [
            {
                **state,
                "tenant_id": tx.tenant,
                "email_folded": state["email"].strip().casefold() if state["email"] else None,
            }
            for state in states
        ],
    )


async def add_stubs(tx: Tx, ids: Sequence[UUID]) -> None:
    """Have rows for customers whose own event hasn't come yet."""
    await tx.many(_STUB, [{"tenant_id": tx.tenant, "id": customer_id} for customer_id in ids])


async def set_lifecycle(tx: Tx, states: Sequence[tuple[UUID, str]]) -> None:
    """Keep each customer's lifecycle state, stubs included."""
    await add_stubs(tx, [customer_id for customer_id, _ in states])
    await tx.many(_SET_LIFECYCLE, [{"key": customer_id, "value": state} for customer_id, state in states])


async def set_value(tx: Tx, groups: Sequence[tuple[UUID, str]]) -> None:
    """Keep each customer's value group, stubs included."""
    await add_stubs(tx, [customer_id for customer_id, _ in groups])
    await tx.many(_SET_VALUE, [{"key": customer_id, "value": group} for customer_id, group in groups])


async def erase(tx: Tx, customer_id: UUID, *, at: datetime) -> None:
    """Forget all that was known of a customer, except that it was erased."""
    await add_stubs(tx, [customer_id])
    await tx.run(_ERASE, {"key": customer_id, "at": at})


async def get(tx: Tx, customer_id: UUID) -> Customer | None:
    """The copy under that very id."""
    row = await tx.one(_GET, {"id": customer_id})
    return _customer(row) if row is not None else None


async def lock(tx: Tx, customer_id: UUID) -> Customer:
    """The copy, made if need be, and nobody else's until the transaction ends."""
    await tx.run(_STUB, {"tenant_id": tx.tenant, "id": customer_id})
    row = await tx.one(_LOCK, {"id": customer_id})
    assert row is not None
    return _customer(row)


async def find_by_email(tx: Tx, email: str) -> UUID | None:
    """The one customer with that address; several are none, since guessing would mix people up."""
    rows = await tx.all(_BY_EMAIL, {"email_folded": email.strip().casefold()})
    return rows[0]["id"] if len(rows) == 1 else None


async def root_of(tx: Tx, customer_id: UUID) -> UUID:
    """Who the customer is now, after all merges."""
    return await tx.scalar(_ROOT, {"id": customer_id}) or customer_id


async def family(tx: Tx, customer_id: UUID) -> list[UUID]:
    """Every id under which references to this customer may have been kept."""
    return await known_as(tx, await root_of(tx, customer_id))


async def known_as(tx: Tx, customer_id: UUID) -> list[UUID]:
    """The id itself and all that were merged into it."""
    rows = await tx.all(_MEMBERS, {"root_id": customer_id})
    return [customer_id, *(row["merged_id"] for row in rows)]


async def add_alias(tx: Tx, *, merged_id: UUID, survivor_id: UUID) -> None:
    """One id now means another."""
    await tx.run(_ADD_ALIAS, {"tenant_id": tx.tenant, "merged_id": merged_id, "survivor_id": survivor_id})
    await _settle_roots(tx, merged_id)


async def drop_alias(tx: Tx, merged_id: UUID) -> None:
    """The id means itself again; what had been merged into it before goes back with it."""
    before = await family(tx, merged_id)
    await tx.run(_DROP_ALIAS, {"id": merged_id})
    await _settle_roots(tx, merged_id, also=before)


async def _settle_roots(tx: Tx, changed: UUID, *, also: Sequence[UUID] = ()) -> None:
    """Follow the chains again for everyone whose chain passes the changed link."""
    touched = {changed, *also, *(row["merged_id"] for row in await tx.all(_MEMBERS, {"root_id": changed}))}
    links: dict[UUID, UUID] = {}
    frontier = touched
    while frontier:
        rows = await tx.all(_ALIASES.where(any_of(customer_alias.c.merged_id, list(frontier))))
        links |= {row["merged_id"]: row["survivor_id"] for row in rows}
        frontier = {row["survivor_id"] for row in rows} - links.keys()
    await tx.many(_SET_ROOT, [{"key": one, "value": _end_of(one, links)} for one in touched & links.keys()])


def _end_of(start: UUID, links: dict[UUID, UUID]) -> UUID:
    seen = {start}
    at = start
    while at in links and links[at] not in seen:
        at = links[at]
        seen.add(at)
    return at


def with_present_customer(table: Table) -> tuple[FromClause, ColumnElement[Any]]:
    """A table joined so that its `customer_id` can be read as the customer it means now."""
    alias = customer_alias.alias("present")
    joined = table.outerjoin(
        alias, and_(alias.c.tenant_id == table.c.tenant_id, alias.c.merged_id == table.c.customer_id)
    )
    return joined, func.coalesce(alias.c.root_id, table.c.customer_id).label("customer_id")


def _customer(row: Record) -> Customer:
    return Customer(
        id=row["id"],
        known=row["known"],
        kind=row["kind"],
        display_name=row["display_name"],
        language=row["language"],
        country=row["country"],
        email=row["email"],
        phone=row["phone"],
        lifecycle=row["lifecycle"],
        value_group=row["value_group"],
        erased_at=row["erased_at"],
    )
