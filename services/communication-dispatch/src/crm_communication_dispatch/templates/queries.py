"""Reading templates."""

from typing import Any, Protocol
from uuid import UUID

from crm_communication_dispatch.templates import store
from crm_communication_dispatch.templates.domain import Template, TemplateVersion
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


class Filters(Protocol):
    """Which templates."""

    @property
    def purpose(self) -> str | None: ...

    @property
    def approved(self) -> bool | None: ...


async def get_template(tx: Tx, viewer: Viewer, template_id: UUID) -> Template | None:
    """One template."""
    del viewer
    return await store.get(tx, template_id)


async def list_templates(
    tx: Tx, viewer: Viewer, filters: Filters, *, limit: int, after: tuple[Any, ...] | None
) -> list[Template]:
    """Templates, oldest first."""
    del viewer
    return await store.list_templates(tx, purpose=filters.purpose, approved=filters.approved, limit=limit, after=after)


async def get_version(tx: Tx, viewer: Viewer, template_id: UUID, number: int) -> TemplateVersion | None:
    """One wording."""
    del viewer
    return await store.get_version(tx, template_id, number)


async def list_versions(tx: Tx, viewer: Viewer, template_id: UUID) -> list[TemplateVersion] | None:
    """All wordings of a template; None when there is no such template."""
    del viewer
    return await store.list_versions(tx, template_id) or None
