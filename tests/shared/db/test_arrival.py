"""A process may be started before its migrations: it waits for them, and for them only."""

import asyncio

import asyncpg
import pytest

from crm_customer.app import SERVICE
from crm_shared.db.arrival import missing_revisions, until_migrated
from crm_shared.db.migrations import newest_revisions, upgrade
from crm_shared.db.provision import ensure_database, ensure_extensions
from crm_shared.testing.cluster import Cluster

SCHEMA = SERVICE.schema


async def versions(owner_url: str, statement: str) -> None:
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_migrated_database_lacks_nothing_by_the_word_of_app_and_worker(cluster: Cluster) -> None:
    database = await cluster.database(SCHEMA)
    assert await missing_revisions(SCHEMA, database.app) == set()
    assert await missing_revisions(SCHEMA, database.worker) == set()


async def test_a_database_of_the_release_before_lacks_the_newest_version(cluster: Cluster) -> None:
    database = await cluster.database(SCHEMA)
    newest = max(each for each in newest_revisions(SCHEMA) if each.startswith("customer_"))
    await versions(
        database.owner, f"UPDATE alembic_version SET version_num = 'customer_0000' WHERE version_num = '{newest}'"
    )
    assert await missing_revisions(SCHEMA, database.app) == {newest}
    with pytest.raises(TimeoutError, match=newest):
        await until_migrated(SCHEMA, database.app, within_s=0)


async def test_code_of_the_release_before_goes_on_over_a_newer_database(cluster: Cluster) -> None:
    database = await cluster.database(SCHEMA)
    await versions(
        database.owner, "UPDATE alembic_version SET version_num = regexp_replace(version_num, '\\d+$', '9999')"
    )
    assert await missing_revisions(SCHEMA, database.app) == set()


async def test_whoever_waits_before_there_is_a_database_goes_on_once_it_is_migrated(cluster: Cluster) -> None:
    urls = cluster.urls("arrival_later", SCHEMA.service)
    waiting = asyncio.create_task(until_migrated(SCHEMA, urls.app, within_s=60))
    await ensure_database(cluster.server.url(), SCHEMA.service, "arrival_later")
    await ensure_extensions(urls.admin, SCHEMA.service)
    assert not waiting.done()
    await upgrade(SCHEMA, urls.owner)
    await waiting
