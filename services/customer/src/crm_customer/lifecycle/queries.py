"""Questions about lifecycles."""

from typing import Any
from uuid import UUID

from crm_customer.lifecycle import store
from crm_customer.lifecycle.domain import LifecycleState, Rules
from crm_customer.lifecycle.store import Standing, Transition
from crm_customer.parties.store import aliases
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


async def rules(tx: Tx, viewer: Viewer) -> Rules:
    """The rules in force."""
    return await store.rules(tx)


async def counts(tx: Tx, viewer: Viewer) -> dict[LifecycleState, int]:
    """How many customers stand where."""
    return await store.counts(tx)


async def standing(tx: Tx, viewer: Viewer, customer_id: UUID) -> Standing:
    """Where a customer stands.

    Raises:
        NotFound: there is no such customer.
    """
    return await store.standing(tx, await aliases.answering(tx, customer_id))


async def steps(
    tx: Tx, viewer: Viewer, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Transition]:
    """A page of a customer's way.

    Raises:
        NotFound: there is no such customer.
    """
    answering = await aliases.answering(tx, customer_id)
    return await store.steps(tx, answering, limit=limit, before=after[-1] if after else store.LAST_ID)
