"""Migrations beside a service at work."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Index, MetaData

from crm_shared.db.migrations import Schema, autogenerate, upgrade
from crm_shared.testing.cluster import Cluster, Databases
from crm_shared.testing.probe.app import SERVICE

BUILDS = """
from alembic import op

revision = 'probe_0099'
down_revision = 'probe_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.build_index('ix_note_by_title', 'note', ['tenant_id', 'title'], unique=False)
"""
TENANT = UUID(int=7)
WRITES = """
INSERT INTO note (tenant_id, id, version, title, created_at)
VALUES ($1, gen_random_uuid(), 1, gen_random_uuid()::text, now())
"""
IS_WHOLE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_note_by_title')"


@pytest.fixture
def schema(tmp_path: Path) -> Schema:
    """The probe's, in a folder where versions may be added."""
    shutil.copytree(SERVICE.schema.migrations, tmp_path / "migrations")
    return Schema(SERVICE.schema.service, SERVICE.schema.metadata, tmp_path / "migrations")


@pytest.fixture
async def database(cluster: Cluster) -> Databases:
    return await cluster.database(SERVICE.schema)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def add(schema: Schema) -> None:
    (schema.migrations / "versions/probe_0099_by_title.py").write_text(BUILDS)


async def test_nobody_who_writes_waits_while_an_index_is_built(schema: Schema, database: Databases) -> None:
    add(schema)
    async with connected(database.admin) as one, connected(database.admin) as other:
        writing = one.transaction()
        await writing.start()
        await one.execute(WRITES, TENANT)
        building = asyncio.create_task(upgrade(schema, database.owner))
        while await other.fetchval(IS_WHOLE) is None:
            await asyncio.sleep(0.01)
        await other.execute(WRITES, TENANT, timeout=2)
        assert not building.done()
        await writing.commit()
        await building
        assert await other.fetchval(IS_WHOLE)


async def test_an_index_whose_building_was_cut_off_is_built_anew(schema: Schema, database: Databases) -> None:
    add(schema)
    async with connected(database.admin) as connection:
        await connection.execute("CREATE INDEX ix_note_by_title ON note (tenant_id, title)")
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_note_by_title'::regclass"
        )
        await upgrade(schema, database.owner)
        assert await connection.fetchval(IS_WHOLE)


async def test_an_index_that_was_built_before_the_version_was_noted_stays(schema: Schema, database: Databases) -> None:
    add(schema)
    async with connected(database.admin) as connection:
        await connection.execute("CREATE INDEX ix_note_by_title ON note (tenant_id, title)")
        kept = await connection.fetchval("SELECT 'ix_note_by_title'::regclass::oid")
        await upgrade(schema, database.owner)
        assert await connection.fetchval("SELECT 'ix_note_by_title'::regclass::oid") == kept


async def test_two_that_migrate_at_once_take_turns(schema: Schema, database: Databases) -> None:
    add(schema)
    async with connected(database.admin) as connection:
        writing = connection.transaction()
        await writing.start()
        await connection.execute(WRITES, TENANT)
        both = [asyncio.create_task(upgrade(schema, database.owner)) for _ in range(2)]
        await asyncio.sleep(1.5)  # one builds and waits for the writer, the other waits for the one
        await writing.commit()
        await asyncio.gather(*both)
        assert await connection.fetchval(IS_WHOLE)


async def test_a_generated_version_builds_the_index_of_a_table_in_use(schema: Schema, database: Databases) -> None:
    changed = MetaData(naming_convention=schema.metadata.naming_convention)
    for table in schema.metadata.sorted_tables:
        table.to_metadata(changed)
    note = changed.tables["note"]
    Index("ix_note_by_title", note.c.tenant_id, note.c.title)
    await autogenerate(Schema(schema.service, changed, schema.migrations), database.owner, "by title")
    (made,) = (schema.migrations / "versions").glob("probe_0002*.py")
    assert "op.build_index('ix_note_by_title', 'note', ['tenant_id', 'title'], unique=False)" in made.read_text()
