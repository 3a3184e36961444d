"""Reading campaigns."""

from typing import Any, Protocol
from uuid import UUID

from crm_communication_dispatch.campaigns import store
from crm_communication_dispatch.campaigns.domain import Campaign
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


class Filters(Protocol):
    """Which campaigns."""

    @property
    def status(self) -> str | None: ...

    @property
    def segment_id(self) -> UUID | None: ...


async def get_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID) -> Campaign | None:
    """One campaign."""
    del viewer
    return await store.get(tx, campaign_id)


async def list_campaigns(
    tx: Tx, viewer: Viewer, filters: Filters, *, limit: int, after: tuple[Any, ...] | None
) -> list[Campaign]:
    """Campaigns, newest first."""
    del viewer
    where = {"status": filters.status, "segment_id": filters.segment_id}
    return await store.list_campaigns(tx, where, limit=limit, after=after)
