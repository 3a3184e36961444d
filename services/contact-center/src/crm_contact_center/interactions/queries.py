"""Reading conversations; a customer's are found under every id that has been merged into theirs."""

from typing import Any
from uuid import UUID

from crm_contact_center.customers import store as customers
from crm_contact_center.interactions import store
from crm_contact_center.interactions.domain import HistoryEntry, Interaction
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer


async def list_interactions(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Interaction]:
    """Interactions, newest first."""
    family = None
    if filters.customer_id is not None:
        family = (await customers.family(tx, [filters.customer_id]))[filters.customer_id]
    return await store.list_interactions(tx, viewer, filters, family, limit=limit, after=after)


async def transcript(
    tx: Tx, viewer: Viewer, filters: Any, interaction_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[HistoryEntry]:
    """What happened in a conversation, in order.

    Raises:
        NotFound: there is no such interaction.
    """
    if await store.get(tx, interaction_id) is None:
        raise NotFound.of("interaction", public_id("int", interaction_id))
    return await store.history(tx, viewer, filters, interaction_id, limit=limit, after=after)
