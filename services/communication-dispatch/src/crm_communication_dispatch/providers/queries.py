"""Reading providers."""

from typing import Any
from uuid import UUID

from crm_communication_dispatch.providers import store
from crm_communication_dispatch.providers.configuration import Provider
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


async def get_provider(tx: Tx, viewer: Viewer, provider_id: UUID) -> Provider | None:
    """One provider."""
    del viewer
    return await store.get(tx, provider_id)


async def list_providers(
    tx: Tx, viewer: Viewer, filters: object, *, limit: int, after: tuple[Any, ...] | None
) -> list[Provider]:
    """Providers, oldest first."""
    del viewer, filters
    return await store.list_providers(tx, limit=limit, after=after)
