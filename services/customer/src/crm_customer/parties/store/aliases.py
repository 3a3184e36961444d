"""Which record answers for which id, once records were merged."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select

from crm_customer.parties.tables import customer, customer_alias
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_param
from crm_shared.errors import NotFound
from crm_shared.ids import public_id

_FAMILY = select(customer_alias.c.alias_id).where(customer_alias.c.customer_id == bindparam("id")).order_by("alias_id")
_EXISTS = select(customer.c.id).where(customer.c.id == bindparam("id"))
_FAMILIES = select(customer_alias.c.alias_id, customer_alias.c.customer_id, customer_alias.c.merged_at).where(
    any_param(customer_alias.c.customer_id, "ids")
)
_CANONICALS = select(customer_alias.c.alias_id, customer_alias.c.customer_id).where(
    any_param(customer_alias.c.alias_id, "ids")
)


async def aliases_of(tx: Tx, customer_id: UUID) -> list[UUID]:
    """The merged records that answer with this customer."""
    return [row["alias_id"] for row in await tx.all(_FAMILY, {"id": customer_id})]


async def families(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, datetime]]:
    """For each answering customer the records it answers for, and since when each belongs to it."""
    result: dict[UUID, dict[UUID, datetime]] = {each: {} for each in ids}
    for row in await tx.all(_FAMILIES, {"ids": list(ids)}):
        result[row["customer_id"]][row["alias_id"]] = row["merged_at"]
    return result


async def canonical(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """For each id the customer that answers for it."""
    aliases = {row["alias_id"]: row["customer_id"] for row in await tx.all(_CANONICALS, {"ids": list(ids)})}
    return {each: aliases.get(each, each) for each in ids}


async def answering(tx: Tx, customer_id: UUID) -> UUID:
    """The customer that answers for an id.

    Raises:
        NotFound: there is no such customer.
    """
    found = (await canonical(tx, [customer_id]))[customer_id]
    if await tx.one(_EXISTS, {"id": found}) is None:
        raise NotFound.of("customer", public_id("cus", customer_id))
    return found


async def family(tx: Tx, customer_id: UUID) -> tuple[UUID, list[UUID]]:
    """The customer that answers for an id, and all ids it answers for, its own first.

    Raises:
        NotFound: there is no such customer.
    """
    head = await answering(tx, customer_id)
    return head, [head, *await aliases_of(tx, head)]
