"""Migrations: Alembic, with one version tree of the kernel's tables and one of the service's own.

They run as the owner with lock and statement timeouts, so that a migration which would block the service fails instead
(expand–contract: add first, use, remove a release later). What a generated version does beyond Alembic's own is in
`migration_operations`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from crm_shared.db.migration_operations import in_our_words
from crm_shared.db.tables import kernel_metadata
from crm_shared.db.walls import Roles

_KERNEL_VERSIONS = Path(__file__).parent / "versions"
_ONE_AT_A_TIME = 7_266_451
_ASK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Schema:
    """What a service migrates: its name, its tables, and the folder with its `env.py` and versions."""

    service: str
    metadata: MetaData
    migrations: Path


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
        process_revision_directives=in_our_words(target),
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
            await _be_alone(connection)
            result = await connection.run_sync(work)
            await connection.commit()
            return result
    finally:
        await engine.dispose()


async def _be_alone(connection: AsyncConnection) -> None:
    """Wait until nobody else migrates this database, by asking: an index is built once no statement before it still
    runs, so one that waited for the lock would wait for whoever waits for it.
    """
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _ONE_AT_A_TIME}):
        await connection.rollback()
        await asyncio.sleep(_ASK_AGAIN_S)
    await connection.commit()


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
