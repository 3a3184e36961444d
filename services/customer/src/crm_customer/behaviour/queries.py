"""Questions about behaviour."""

from typing import Any
from uuid import UUID

from crm_customer.behaviour import store
from crm_customer.behaviour.domain import FactKind, MoneyFact, Totals
from crm_customer.parties.store import aliases
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


async def totals(tx: Tx, viewer: Viewer, customer_id: UUID) -> Totals:
    """What a customer's behaviour sums up to.

    Raises:
        NotFound: there is no such customer.
    """
    return await store.totals(tx, await aliases.answering(tx, customer_id))


async def facts(
    tx: Tx,
    viewer: Viewer,
    customer_id: UUID,
    kind: FactKind | None,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[MoneyFact]:
    """A page of what a customer did, the latest first.

    Raises:
        NotFound: there is no such customer.
    """
    position = None if after is None else (after[0], after[1])
    return await store.page(tx, await aliases.answering(tx, customer_id), kind, limit=limit, after=position)
