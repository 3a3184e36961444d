"""Questions to timelines."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.parties.store import aliases, reading
from crm_customer.timeline import store
from crm_customer.timeline.domain import Card, Entry
from crm_customer.timeline.store import Shown
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


async def card(tx: Tx, viewer: Viewer, customer_id: UUID, *, now: datetime) -> Card | None:
    """What an agent sees first; for a customer so new that no event has come back yet, its bare record."""
    found = await store.card(tx, customer_id)
    if found is not None:
        return found
    customer = await reading.get(tx, customer_id)
    if customer is None:
        return None
    profile = customer.profile
    return Card(
        customer_id=customer.id,
        display_name=profile.display_name,
        kind=profile.kind.value,
        category=profile.category.value,
        language=profile.language,
        lifecycle=None,
        value_group=None,
        open_deals=0,
        open_tickets=0,
        mood=None,
        consents={},
        touches=(),
        updated_at=now,
    )


async def timeline(
    tx: Tx, viewer: Viewer, customer_id: UUID, shown: Shown, *, limit: int, after: tuple[Any, ...] | None
) -> list[Entry]:
    """A page of what happened around a customer, the latest first.

    Raises:
        NotFound: there is no such customer.
    """
    _, ids = await aliases.family(tx, customer_id)
    position = None if after is None else (after[0], after[1])
    return await store.page(tx, ids, shown, limit=limit, after=position)
