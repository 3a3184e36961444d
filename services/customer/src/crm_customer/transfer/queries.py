"""Questions about imports."""

from typing import Any
from uuid import UUID

from crm_customer.transfer import store
from crm_customer.transfer.domain import ImportKind
from crm_customer.transfer.store import Import, KeptError
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

_LAST_ID = UUID(int=2**128 - 1)


async def get(tx: Tx, viewer: Viewer, kind: ImportKind, import_id: UUID) -> Import | None:
    """One import."""
    return await store.get(tx, kind, import_id)


async def page(tx: Tx, viewer: Viewer, kind: ImportKind, *, limit: int, after: tuple[Any, ...] | None) -> list[Import]:
    """A page of imports, the latest first."""
    return await store.page(tx, kind, limit=limit, before=after[0] if after else _LAST_ID)


async def errors(
    tx: Tx, viewer: Viewer, kind: ImportKind, import_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[KeptError]:
    """A page of what was wrong with a file's rows.

    Raises:
        NotFound: there is no such import.
    """
    if await store.get(tx, kind, import_id) is None:
        raise NotFound.of("import", public_id("imp", import_id))
    return await store.errors(tx, import_id, limit=limit, after=(after[0], after[1]) if after else (0, -1))
