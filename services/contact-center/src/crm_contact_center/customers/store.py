"""Statements on the local copies; references are resolved through merges when read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_contact_center.customers.domain import ContactPoint, Customer
from crm_contact_center.customers.tables import contact_point, customer, customer_alias, customer_deal, customer_order
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param

_c, _p, _a = customer.c, contact_point.c, customer_alias.c

_STUB = insert(customer).values(tenant_id=bindparam("tenant_id"), id=bindparam("id")).on_conflict_do_nothing()
_DROP_POINTS = delete(contact_point).where(any_param(_p.customer_id, "ids"))
_PUT_POINT = (
    insert(contact_point)
    .values({name: bindparam(name) for name in ("tenant_id", "customer_id", "channel", "folded", "value", "verified")})
    .on_conflict_do_nothing()
)
_SURVIVORS = select(_a.merged_id, _a.survivor_id).where(any_param(_a.merged_id, "ids"))
_FAMILY = select(_a.merged_id, _a.survivor_id).where(
    or_(any_param(_a.merged_id, "ids"), any_param(_a.survivor_id, "ids"))
)
_put_alias = insert(customer_alias).values(
    tenant_id=bindparam("tenant_id"), merged_id=bindparam("merged_id"), survivor_id=bindparam("survivor_id")
)
_PUT_ALIAS = _put_alias.on_conflict_do_update(
    index_elements=[_a.tenant_id, _a.merged_id], set_={"survivor_id": _put_alias.excluded.survivor_id}
)
_REPOINT = update(customer_alias).where(_a.survivor_id == bindparam("was")).values(survivor_id=bindparam("now_is"))
_DROP_ALIAS = delete(customer_alias).where(_a.merged_id == bindparam("id"))
_RECOGNISE = (
    select(func.coalesce(_a.survivor_id, _p.customer_id).label("id"), func.bool_or(_p.verified).label("verified"))
    .select_from(
        contact_point.join(customer, (_c.tenant_id == _p.tenant_id) & (_c.id == _p.customer_id)).outerjoin(
            customer_alias, (_a.tenant_id == _p.tenant_id) & (_a.merged_id == _p.customer_id)
        )
    )
    .where(_p.folded == bindparam("folded"), _c.erased.is_(False))
    .group_by(func.coalesce(_a.survivor_id, _p.customer_id))
    .order_by(func.bool_or(_p.verified).desc(), func.coalesce(_a.survivor_id, _p.customer_id))
    .limit(2)
)
_ERASE = (
    update(customer)
    .where(_c.id == bindparam("i"))
    .values(display_name=None, language=None, value_group=None, lifecycle=None, last_order_at=None, erased=True)
)
_ERASED = select(_c.id).where(_c.erased, any_param(_c.id, "ids"))
_DROP_DEALS = delete(customer_deal).where(customer_deal.c.customer_id == bindparam("id"))
_DROP_ORDERS = delete(customer_order).where(customer_order.c.customer_id == bindparam("id"))


async def put(tx: Tx, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Upsert some columns of some customers; a customer never heard of before becomes a stub with just these."""
    statement = insert(customer).values({name: bindparam(name) for name in ("tenant_id", "id", *columns)})
    changed = {name: statement.excluded[name] for name in columns}
    await tx.many(
        _PUTS.setdefault(
            tuple(columns),
            statement.on_conflict_do_update(
                index_elements=[_c.tenant_id, _c.id], set_=changed, where=_c.erased.is_(False)
            ),
        ),
        [{"tenant_id": tx.tenant, **row} for row in rows],
    )


_PUTS: dict[tuple[str, ...], Any] = {}


async def replace_points(tx: Tx, points: Mapping[UUID, Sequence[tuple[ContactPoint, bool]]]) -> None:
    """The addresses of these customers, and no others, hold from now on; each with whether it is verified."""
    await tx.run(_DROP_POINTS, {"ids": list(points)})
    await tx.many(
        _PUT_POINT,
        [
            {
                "tenant_id": tx.tenant,
                "customer_id": customer_id,
                "channel": point.channel,
                "folded": point.folded,
                "value": point.value,
                "verified": verified,
            }
            for customer_id, found in points.items()
            for point, verified in found
        ],
    )


async def erased_among(tx: Tx, ids: Collection[UUID]) -> set[UUID]:
    """Those whose data has been erased."""
    return {row["id"] for row in await tx.all(_ERASED, {"ids": list(ids)})}


async def erase(tx: Tx, customer_id: UUID) -> None:
    """Forget a person; the row stays, so that a late event brings nobody back."""
    await tx.run(_STUB, {"tenant_id": tx.tenant, "id": customer_id})
    await tx.run(_ERASE, {"i": customer_id})
    await tx.run(_DROP_POINTS, {"ids": [customer_id]})
    await tx.run(_DROP_DEALS, {"id": customer_id})
    await tx.run(_DROP_ORDERS, {"id": customer_id})


async def merge(tx: Tx, *, survivor_id: UUID, merged_id: UUID) -> None:
    """From now on `merged_id` means `survivor_id`, and so does whatever meant `merged_id`."""
    await tx.run(_REPOINT, {"was": merged_id, "now_is": survivor_id})
    await tx.run(_PUT_ALIAS, {"tenant_id": tx.tenant, "merged_id": merged_id, "survivor_id": survivor_id})


async def unmerge(tx: Tx, restored_id: UUID) -> None:
    """`restored_id` means itself again."""
    await tx.run(_DROP_ALIAS, {"id": restored_id})


async def family(tx: Tx, customer_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """For each id, all ids under which its person's records may be filed, itself among them."""
    merged = {row["merged_id"]: row["survivor_id"] for row in await tx.all(_SURVIVORS, {"ids": list(customer_ids)})}
    wanted = {customer_id: merged.get(customer_id, customer_id) for customer_id in customer_ids}
    rows = await tx.all(_FAMILY, {"ids": list(set(wanted.values()))})
    members: dict[UUID, set[UUID]] = {today: {today} for today in wanted.values()}
    for row in rows:
        if row["survivor_id"] in members:
            members[row["survivor_id"]].add(row["merged_id"])
    return {asked: members[today] | {asked} for asked, today in wanted.items()}


async def recognise(tx: Tx, folded: str) -> UUID | None:
    """Whose address this is: a verified one before an unverified; None if unknown or shared by several."""
    if not folded:
        return None
    found = await tx.all(_RECOGNISE, {"folded": folded})
    if len(found) == 1 or (len(found) == 2 and found[0]["verified"] and not found[1]["verified"]):
        return found[0]["id"]
    return None


async def get_many(tx: Tx, customer_ids: Collection[UUID]) -> dict[UUID, Customer]:
    """The copies of those that are known, by id."""
    deals, orders = customer_deal.c, customer_order.c
    open_deals = (
        select(func.count()).where(deals.tenant_id == _c.tenant_id, deals.customer_id == _c.id, deals.open.is_(True))
    ).scalar_subquery()
    placed = (
        select(func.count()).where(orders.tenant_id == _c.tenant_id, orders.customer_id == _c.id)
    ).scalar_subquery()
    rows = await tx.all(
        select(customer, open_deals.label("open_deals"), placed.label("orders")).where(any_of(_c.id, customer_ids))
    )
    return {row["id"]: _read(row) for row in rows}


async def put_deal(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Deals as they stand; a name isn't forgotten by an event that doesn't bring it."""
    statement = insert(customer_deal).values(
        {name: bindparam(name) for name in ("tenant_id", "deal_id", "customer_id", "name", "open")}
    )
    await tx.many(
        _PUTS.setdefault(
            ("deal",),
            statement.on_conflict_do_update(
                index_elements=[customer_deal.c.tenant_id, customer_deal.c.deal_id],
                set_={
                    "open": statement.excluded.open,
                    "name": func.coalesce(statement.excluded.name, customer_deal.c.name),
                },
            ),
        ),
        [{"tenant_id": tx.tenant, **row} for row in rows],
    )


async def put_order(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Orders as they were placed."""
    names = ("tenant_id", "order_id", "customer_id", "number", "placed_at", "total_amount", "total_currency")
    statement = insert(customer_order).values({name: bindparam(name) for name in names}).on_conflict_do_nothing()
    await tx.many(_PUTS.setdefault(("order",), statement), [{"tenant_id": tx.tenant, **row} for row in rows])


async def note_order(tx: Tx, customer_id: UUID, placed_at: datetime) -> None:
    """Keep the time of the latest order."""
    statement = insert(customer).values(tenant_id=tx.tenant, id=customer_id, last_order_at=placed_at)
    latest = func.greatest(
        func.coalesce(_c.last_order_at, statement.excluded.last_order_at), statement.excluded.last_order_at
    )
    await tx.run(
        statement.on_conflict_do_update(
            index_elements=[_c.tenant_id, _c.id],
            set_={"last_order_at": case((_c.erased.is_(True), None), else_=latest)},
        )
    )


def _read(row: Record) -> Customer:
    return Customer(
        id=row["id"],
        display_name=row["display_name"],
        language=row["language"],
        value_group=row["value_group"],
        lifecycle=row["lifecycle"],
        open_deals=row["open_deals"],
        orders=row["orders"],
        last_order_at=row["last_order_at"],
        erased=row["erased"],
    )
