"""Migrations: Alembic, with one version tree of the kernel's tables and one of the service's own.

They run as the owner with lock and statement timeouts, so that a migration which would block the service fails instead
(expand–contract: add first, use, remove a release later). A generated version puts each new table behind the tenant
wall by `op.build_wall`, or, where rows belong to no tenant, grants what its declaration says by `op.grant_open`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.autogenerate import compare_metadata, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import CreateTableOp, MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from crm_shared.db.metadata import is_walled
from crm_shared.db.tables import kernel_metadata
from crm_shared.db.walls import Roles, open_grants, wall

_KERNEL_VERSIONS = Path(__file__).parent / "versions"
_ONE_AT_A_TIME = 7_266_451


@dataclass(frozen=True, slots=True)
class Schema:
    """What a service migrates: its name, its tables, and the folder with its `env.py` and versions."""

    service: str
    metadata: MetaData
    migrations: Path


@Operations.register_operation("build_wall")
class BuildWall(MigrateOperation):
    """Put a tenant table behind row-level security."""

    def __init__(self, table: str, across: tuple[str, ...] = ()) -> None:
        self.table = table
        self.across = across

    @classmethod
    def build_wall(cls, operations: Operations, table: str, across: tuple[str, ...] = ()) -> None:
        """`across`: the privileges of the worker role over all tenants' rows."""
        operations.invoke(cls(table, across))


@Operations.register_operation("grant_open")
class GrantOpen(MigrateOperation):
    """Grant privileges on a table whose rows belong to no tenant."""

    def __init__(self, table: str, grants: dict[str, str]) -> None:
        self.table = table
        self.grants = grants

    @classmethod
    def grant_open(cls, operations: Operations, table: str, grants: dict[str, str]) -> None:
        """`grants`: role (`app`, `worker`, `finder`) to privileges."""
        operations.invoke(cls(table, grants))


def _roles(operations: Operations) -> Roles:
    return operations.migration_context.opts["crm_roles"]


@Operations.implementation_for(BuildWall)
def _build_wall(operations: Operations, operation: BuildWall) -> None:
    bare = Table(operation.table, MetaData(), info={"tenant": True, "across": operation.across})
    for statement in wall(bare, _roles(operations)):
        operations.execute(statement)


@Operations.implementation_for(GrantOpen)
def _grant_open(operations: Operations, operation: GrantOpen) -> None:
    bare = Table(operation.table, MetaData(), info={"grants": operation.grants})
    for statement in open_grants(bare, _roles(operations)):
        operations.execute(statement)


@renderers.dispatch_for(BuildWall)
def _render_wall(_: AutogenContext, operation: BuildWall) -> str:
    across = f", across={operation.across!r}" if operation.across else ""
    return f"op.build_wall({operation.table!r}{across})"


@renderers.dispatch_for(GrantOpen)
def _render_grant(_: AutogenContext, operation: GrantOpen) -> str:
    return f"op.grant_open({operation.table!r}, {operation.grants!r})"


def _add_walls(metadata: MetaData) -> Callable[[MigrationContext, Any, list[MigrationScript]], None]:
    def process(_: MigrationContext, __: Any, scripts: list[MigrationScript]) -> None:
        for script in scripts:
            assert script.upgrade_ops is not None
            for made in [op for op in script.upgrade_ops.ops if isinstance(op, CreateTableOp)]:
                table = metadata.tables[made.table_name]
                script.upgrade_ops.ops.append(
                    BuildWall(table.name, table.info.get("across", ()))
                    if is_walled(table)
                    else GrantOpen(table.name, table.info.get("grants", {"app": "SELECT"}))
                )

    return process


def _config(schema: Schema, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(schema.migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option(
        "version_locations", f"{_KERNEL_VERSIONS}\n{schema.migrations / 'versions'}".replace("%", "%%")
    )
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


def known_revisions(schema: Schema) -> set[str]:
    """Every version that this code can migrate from; a database that has another one was made by newer code."""
    return {script.revision for script in ScriptDirectory.from_config(_config(schema)).walk_revisions()}


def newest_revisions(schema: Schema) -> set[str]:
    """The version that each branch, the kernel's and the service's, is migrated to by this code."""
    return set(ScriptDirectory.from_config(_config(schema)).get_heads())


def run_environment() -> None:
    """The body of every service's `migrations/env.py`."""
    schema: Schema = context.config.attributes["schema"]
    target: MetaData = context.config.attributes.get("target", schema.metadata)
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=target,
        crm_roles=Roles.of(schema.service),
        include_object=_only(target),
        process_revision_directives=_add_walls(target),
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _only(metadata: MetaData) -> Callable[..., bool]:
    def include(item: Any, name: str | None, kind: str, *about: Any) -> bool:
        del item, about
        return kind != "table" or name in metadata.tables

    return include


async def _as_owner(owner_url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(
        owner_url.replace("postgresql://", "postgresql+asyncpg://", 1),
        poolclass=NullPool,
        connect_args={"server_settings": {"lock_timeout": "5s", "statement_timeout": "15min"}},
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
            await connection.commit()
            result = await connection.run_sync(work)
            await connection.commit()
            return result
    finally:
        await engine.dispose()


async def upgrade(schema: Schema, owner_url: str) -> None:
    """Bring the database to this code's versions, and let the service's processes see which these are."""
    roles = Roles.of(schema.service)

    def work(connection: Connection) -> None:
        command.upgrade(_config(schema, connection), "heads")
        connection.execute(text(f"GRANT SELECT ON alembic_version TO {roles.app}, {roles.worker}"))

    await _as_owner(owner_url, work)


async def autogenerate(schema: Schema, owner_url: str, message: str, *, kernel: bool = False) -> None:
    """Write a new version from the difference between the tables and an up-to-date database."""

    def work(connection: Connection) -> None:
        config = _config(schema, connection)
        if kernel:
            config.attributes["target"] = kernel_metadata
        branch = "kernel" if kernel else schema.service.replace("-", "_")
        folder = _KERNEL_VERSIONS if kernel else schema.migrations / "versions"
        folder.mkdir(parents=True, exist_ok=True)
        first = not any(folder.glob("*.py"))
        command.revision(
            config,
            message,
            autogenerate=True,
            head="base" if first else f"{branch}@head",
            branch_label=branch if first else None,
            version_path=str(folder),
            rev_id=f"{branch}_{len(list(folder.glob('*.py'))) + 1:04d}",
        )

    await _as_owner(owner_url, work)


async def drift(schema: Schema, owner_url: str) -> Sequence[Any]:
    """What the tables say that the migrated database doesn't; empty when they agree."""

    def work(connection: Connection) -> Sequence[Any]:
        found: list[Any] = []
        for metadata in (schema.metadata, kernel_metadata):
            migration = MigrationContext.configure(connection, opts={"include_object": _only(metadata)})
            found.extend(compare_metadata(migration, metadata))
        return found

    return await _as_owner(owner_url, work)
