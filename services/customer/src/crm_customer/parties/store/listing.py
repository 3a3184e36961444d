"""Lists of customers: whatever they are filtered by, a page costs what it shows, not what there is.

A list with one filter is a stretch of that filter's index, already in order. With more than one, the newest of one
filter are looked through for the others, which fills the page unless what is asked for is rare, or long ago. That is
gathered from the index of all filters, and then put in order.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Text, bindparam, literal_column, select, tuple_
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.parties.domain import Customer, Listing, Status, fold
from crm_customer.parties.store.rows import shown_of, to_customer
from crm_customer.parties.tables import customer
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

FILTERS = ("owner", "source", "country", "language", "category", "kind")
"""Those that usually leave fewest first: along the first one given the others are looked for."""
NAME = "name_folded"
LOOKED_THROUGH = 1_000
"""About where looking at ten rows costs what gathering a hundred does, among a million."""
_LAST_ID = UUID(int=2**128 - 1)
_TOP = "\U0010ffff"
Condition = ColumnElement[bool]


async def list_customers(
    tx: Tx, viewer: Viewer, listing: Listing, *, limit: int, after: tuple[Any, ...] | None
) -> list[Customer]:
    """A page of active customers, newest first; by name where a name is given."""
    params = _params(listing, after)
    given = frozenset(params)
    params["limit"] = limit
    fetch = tx.find if listing.attributes else tx.all
    rows = await fetch(walking(given), params)
    if len(rows) < limit and _crossed(given):
        rows = await fetch(gathering(given), params)
    return [to_customer(row) for row in rows]


def name_key(item: Customer) -> str:
    """What a list by name is sorted by."""
    return fold(item.profile.display_name)


def _params(listing: Listing, after: tuple[Any, ...] | None) -> dict[str, Any]:
    params: dict[str, Any] = {name: str(value) for name in FILTERS if (value := getattr(listing, name)) is not None}
    if listing.attributes:
        params["attributes"] = dict(listing.attributes)
    if listing.name_prefix is None:
        return params | {"after_id": after[-1] if after else _LAST_ID}
    prefix = fold(listing.name_prefix)
    params |= {NAME: prefix, "name_end": prefix + _TOP}
    return params | ({"after_name": after[0], "after_id": after[1]} if after else {})


def _crossed(given: frozenset[str]) -> bool:
    """Whether one index alone can't tell who is on the list."""
    return "attributes" in given or len(given & {*FILTERS, NAME}) > 1


@lru_cache(maxsize=1_000)
def walking(given: frozenset[str]) -> Select[Any]:
    """The first on a list that is given these parameters, along one index; where several filters cross, so far only.

    Built once: composing a statement costs more than running it.
    """
    along = _along(given)
    stretch = select(customer).where(*_ahead(along, given)).order_by(*_order(customer, along))
    if not _crossed(given):
        return stretch.with_only_columns(*shown_of(customer)).where(_active(customer)).limit(bindparam("limit"))
    some = stretch.limit(literal_column(str(LOOKED_THROUGH))).subquery()
    found = select(*shown_of(some)).where(_active(some), *_matching(some, given - {along}))
    return found.order_by(*_order(some, along)).limit(bindparam("limit"))


@lru_cache(maxsize=1_000)
def gathering(given: frozenset[str]) -> Select[Any]:
    """The first on a list that is given these parameters, after all on it were put in order."""
    along = NAME if NAME in given else None
    key = [customer.c[name] for name in ((NAME, "id") if along else ("id",))]
    whole = select(*key).where(*_ahead(along, given), _active(customer))
    if along and "owner" in given:  # no index holds both: together they may be longer than an entry can be
        theirs = customer.alias("theirs")
        owned = select(theirs.c.id).where(*_matching(theirs, frozenset({"owner"})))
        whole, given = whole.where(customer.c.id.in_(_apart(owned))), given - {"owner"}
    apart = _apart(whole.where(*_matching(customer, given))).subquery()
    first = select(apart.c.id).order_by(*_order(apart, along)).limit(bindparam("limit")).subquery()
    found = select(*shown_of(customer)).join(first, first.c.id == customer.c.id)
    return found.order_by(*_order(customer, along))


def _apart(statement: Select[Any]) -> Select[Any]:
    """Planned for itself: told that the first few in some order will do, the planner would walk along it and hope."""
    return statement.offset(literal_column("0"))


def _along(given: frozenset[str]) -> str | None:
    """The column whose index gives the order; without any it is that of ids."""
    return next((name for name in (NAME, *FILTERS) if name in given), None)


def _ahead(along: str | None, given: frozenset[str]) -> list[Condition]:
    """What an index is asked for, so that it begins after the page before."""
    c, after_id = customer.c, bindparam("after_id", type_=SqlUuid())
    if along is None:
        return [c.id < after_id]
    value = bindparam(along, type_=Text())
    if along == NAME:
        within = [c.name_folded >= value, c.name_folded < bindparam("name_end", type_=Text())]
        after = tuple_(bindparam("after_name", type_=Text()), after_id)
        return [*within, tuple_(c.name_folded, c.id) > after] if "after_name" in given else within
    # A range of one value. Told that the column doesn't vary, the planner would walk along all ids instead where the
    # value is frequent, even if it is so among other tenants only.
    return [c[along] >= value, tuple_(c[along], c.id) < tuple_(value, after_id)]


def _order(rows: FromClause, along: str | None) -> list[ColumnElement[Any]]:
    if along is None:
        return [rows.c.id.desc()]
    return [rows.c[NAME], rows.c.id] if along == NAME else [rows.c[along].desc(), rows.c.id.desc()]


def _active(rows: FromClause) -> Condition:
    return rows.c.status == literal_column(f"'{Status.ACTIVE.value}'")


def _matching(rows: FromClause, wanted: frozenset[str | None]) -> Iterator[Condition]:
    yield from (rows.c[name] == bindparam(name, type_=Text()) for name in FILTERS if name in wanted)
    if "attributes" in wanted:
        yield rows.c.attributes.contains(bindparam("attributes", type_=JSONB()))
