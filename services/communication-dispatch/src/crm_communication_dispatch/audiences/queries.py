"""Reading audiences."""

from typing import Any
from uuid import UUID

from crm_communication_dispatch.audiences import store
from crm_communication_dispatch.audiences.domain import Audience
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


async def get_audience(tx: Tx, viewer: Viewer, audience_id: UUID) -> Audience | None:
    """One audience."""
    del viewer
    return await store.get(tx, audience_id)


async def list_audiences(
    tx: Tx, viewer: Viewer, filters: object, *, limit: int, after: tuple[Any, ...] | None
) -> list[Audience]:
    """Audiences, newest first."""
    del viewer, filters
    return await store.list_audiences(tx, limit=limit, after=after)
