"""Reading the policy and suppressions."""

from typing import Any, Protocol
from uuid import UUID

from crm_communication_dispatch.customers.domain import folded
from crm_communication_dispatch.governance import store
from crm_communication_dispatch.governance.domain import Policy, Suppression
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


class Filters(Protocol):
    """Which suppressions."""

    @property
    def customer_id(self) -> UUID | None: ...

    @property
    def address(self) -> str | None: ...

    @property
    def channel(self) -> str | None: ...

    @property
    def reason(self) -> str | None: ...

    @property
    def active(self) -> bool | None: ...


async def get_policy(tx: Tx, viewer: Viewer) -> Policy:
    """The tenant's policy."""
    del viewer
    return await store.get_policy(tx)


async def get_suppression(tx: Tx, viewer: Viewer, suppression_id: UUID) -> Suppression | None:
    """One suppression."""
    del viewer
    return await store.get(tx, suppression_id)


async def list_suppressions(
    tx: Tx, viewer: Viewer, filters: Filters, *, limit: int, after: tuple[Any, ...] | None
) -> list[Suppression]:
    """Suppressions, oldest first."""
    del viewer
    where = {
        "customer_id": filters.customer_id,
        "address": folded(filters.address) if filters.address else None,
        "channel": filters.channel,
        "reason": filters.reason,
    }
    return await store.list_suppressions(tx, where, active=filters.active, limit=limit, after=after)
