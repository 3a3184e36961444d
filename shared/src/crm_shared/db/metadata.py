"""How tables are declared: a naming convention, and the leading tenant key."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, MetaData, Table
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.sql.schema import SchemaItem

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
TENANT = "tenant_id"


def service_metadata() -> MetaData:
    """The collection of one service's tables."""
    return MetaData(naming_convention=NAMING)


kernel_metadata = service_metadata()
"""The kernel's own tables, present in every service's database."""


def tenant_table(
    name: str,
    metadata: MetaData,
    *items: SchemaItem,
    across: tuple[str, ...] = (),
    outlives: bool = False,
    **options: Any,
) -> Table:
    """A table whose rows belong to tenants: `tenant_id` comes first, and migrations wall it with row-level security.

    `across` names the privileges (`SELECT`, `UPDATE`, `DELETE`) that the worker role has over all tenants' rows; the
    kernel's outbox, inbox, parking, due rows and operations need it, most tables of services don't. Rows of a table
    that `outlives` its tenants stay when all else of theirs is purged. `options` are SQLAlchemy's own, such as
    `postgresql_with`.
    """
    tenant: Column[UUID] = Column(TENANT, SqlUuid(), nullable=False)
    info: dict[str, Any] = {"tenant": True, "across": across, "outlives": outlives}
    return Table(name, metadata, tenant, *items, info=info, **options)


def is_walled(table: Table) -> bool:
    """Whether rows of `table` belong to tenants."""
    return bool(table.info.get("tenant"))


def is_walled_table(clause: Any) -> bool:
    """Whether a FROM element is a table whose rows belong to tenants."""
    info: dict[str, Any] = getattr(clause, "info", None) or {}
    return bool(info.get("tenant"))
