"""The wall itself, with plain SQL: every table that the catalogue of every database knows, so a new one is covered."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from tests.tenants.catalogue import Catalogue, fences
from tests.tenants.stage import Stage
from tests.tenants.world import World

from crm_shared.db.walls import Roles
from crm_shared.ids import new_id
from crm_shared.testing.cluster import Cluster

pytestmark = pytest.mark.xdist_group("tenants")

SERVICES = ["gateway", "customer", "sales-pipeline", "communication-dispatch", "contact-center"]
WALL_LESS = {
    "alembic_version": "which migrations have run; holds nothing of anybody",
}
GLOBAL_RULES = {
    "handle_taken": "a key's or a company's handle is asked for before any tenant is known; see identity/tables.py",
}
ABOVE_THE_WALL = {
    "gateway_tenant_of": "one tenant's id for one exact handle, asked before any tenant is known; lists nothing",
}
ACROSS = {
    "outbox": {"SELECT", "UPDATE", "DELETE"},
    "inbox": {"SELECT", "DELETE"},
    "consumer_key": {"SELECT"},
    "parked": {"SELECT"},
    "parking_audit": {"SELECT"},
    "due": {"SELECT", "UPDATE", "DELETE"},
    "operation": {"SELECT", "UPDATE"},
    "idempotency_key": {"SELECT", "DELETE"},
    "departed": {"SELECT"},
    "routing_change": {"SELECT"},
    "routing_shard": {"SELECT"},
    "webhook_lane": {"SELECT"},
    "event_head": {"SELECT"},
}
"""What the worker role may do over all tenants: architecture §5, and which tenants something is to be done for."""
OF_ONE_SERVICE = {"routing_change", "routing_shard", "webhook_lane", "event_head"}


@pytest.fixture(params=SERVICES)
async def catalogue(request: pytest.FixtureRequest, stage: Stage) -> Catalogue:
    return await Catalogue.read(stage.databases[request.param].admin, request.param)


@asynccontextmanager
async def session(stage: Stage, service: str, role: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(getattr(stage.databases[service], role))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def as_tenant(connection: asyncpg.Connection, world: World) -> AsyncGenerator[None]:
    """A transaction of a tenant that leaves nothing behind."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"SET LOCAL app.tenant_id = '{world.tenant}'")
    try:
        yield
    finally:
        await transaction.rollback()


def test_every_table_stands_behind_a_forced_wall_and_its_keys_begin_with_the_tenant(catalogue: Catalogue) -> None:
    assert fences(catalogue, open_tables=WALL_LESS, global_rules=GLOBAL_RULES) == []


async def test_a_table_without_a_wall_would_be_found(cluster: Cluster) -> None:
    url = await cluster.bare()
    connection = await asyncpg.connect(url)
    await connection.execute(
        """
        CREATE TABLE stray (id uuid PRIMARY KEY);
        CREATE TABLE late (id uuid, tenant_id uuid NOT NULL, name text UNIQUE, PRIMARY KEY (id));
        CREATE TABLE unforced (tenant_id uuid NOT NULL, id uuid, PRIMARY KEY (tenant_id, id));
        ALTER TABLE unforced ENABLE ROW LEVEL SECURITY;
        CREATE TABLE child (tenant_id uuid NOT NULL, late_id uuid REFERENCES late, PRIMARY KEY (tenant_id, late_id));
        ALTER TABLE child ENABLE ROW LEVEL SECURITY; ALTER TABLE child FORCE ROW LEVEL SECURITY;
        CREATE VIEW window_in_the_wall AS SELECT * FROM unforced;
        CREATE FUNCTION ladder() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
        """
    )
    await connection.close()
    found = fences(await Catalogue.read(url, "customer"), open_tables={}, global_rules={})
    for complaint in (
        "stray has no tenant_id", "late: tenant_id isn't the first column", "late has no forced row security",
        "late_name_key doesn't begin with tenant_id", "late_pkey doesn't begin with tenant_id",
        "unforced has no forced row security", "child_late_id_fkey doesn't begin with tenant_id",
        "window_in_the_wall is a view that looks over the wall", "ladder runs with its owner's rights",
    ):  # fmt: skip
        assert complaint in found, found


async def test_without_a_tenant_there_are_no_rows(
    catalogue: Catalogue, stage: Stage, alpha: World, beta: World
) -> None:
    assert await alpha.has_rows_in(catalogue.service)
    async with session(stage, catalogue.service, "app") as connection:
        for _ in range(2):  # the second time the setting is an empty text instead of null
            for table in catalogue.walled:
                assert await connection.fetchval(f'SELECT count(*) FROM "{table}"') == 0, table
            async with as_tenant(connection, beta):
                pass


async def test_with_a_tenant_there_are_its_rows_and_no_others(
    catalogue: Catalogue, stage: Stage, alpha: World, beta: World
) -> None:
    seen = 0
    async with (
        session(stage, catalogue.service, "app") as app,
        session(stage, catalogue.service, "admin") as admin,
        as_tenant(app, beta),
    ):
        for table in catalogue.walled:
            of = f'SELECT count(*) FROM "{table}" WHERE tenant_id'
            own = await admin.fetchval(f"{of} = $1", beta.tenant)
            assert await app.fetchval(f"{of} = $1", alpha.tenant) == 0, table
            assert await app.fetchval(f"{of} IS NOT NULL") == own, table
            seen += own
    assert seen > 5


async def test_nothing_is_written_for_another_tenant(
    catalogue: Catalogue, stage: Stage, alpha: World, beta: World
) -> None:
    async with session(stage, catalogue.service, "app") as connection:
        for table in catalogue.walled:
            async with as_tenant(connection, beta):
                for change in (
                    "UPDATE {} SET tenant_id = tenant_id WHERE tenant_id = $1",
                    "DELETE FROM {} WHERE tenant_id = $1",
                ):
                    assert (await connection.execute(change.format(f'"{table}"'), alpha.tenant)).endswith(" 0"), table
                for change in ("INSERT INTO {} (tenant_id) VALUES ($1)", "UPDATE {} SET tenant_id = $1"):
                    if change.startswith("UPDATE") and not await connection.fetchval(f'SELECT count(*) FROM "{table}"'):
                        continue
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                        async with connection.transaction():
                            await connection.execute(change.format(f'"{table}"'), alpha.tenant)
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.execute(f'TRUNCATE "{table}"')


async def test_the_worker_reaches_over_the_wall_only_where_the_machinery_must(catalogue: Catalogue) -> None:
    roles = Roles.of(catalogue.service)
    expected = {table: rights for table, rights in ACROSS.items() if table in catalogue.walled}
    versions = {table: {"SELECT"} for table in WALL_LESS}  # every process waits until its database is new enough
    assert catalogue.rights_of(roles.worker) == expected | versions
    assert set(expected) >= set(ACROSS) - OF_ONE_SERVICE


async def test_the_finder_only_reads_and_nobody_else_holds_rights(catalogue: Catalogue) -> None:
    roles = Roles.of(catalogue.service)
    assert set().union(*catalogue.rights_of(roles.finder).values()) <= {"SELECT"}
    assert catalogue.rights_of("PUBLIC") == {}
    assert catalogue.holders <= {roles.owner, roles.app, roles.worker, roles.finder}


async def test_no_role_of_a_service_has_powers_or_becomes_a_stronger_one(catalogue: Catalogue, stage: Stage) -> None:
    roles = Roles.of(catalogue.service)
    assert catalogue.powers_of({roles.owner, roles.app, roles.worker, roles.finder}) == []
    assert set(catalogue.definers) <= ABOVE_THE_WALL.keys()
    others = [name for service in SERVICES for name in (Roles.of(service).owner, Roles.of(service).worker)]
    async with session(stage, catalogue.service, "app") as connection:
        for stronger in (*others, "postgres", *(Roles.of(one).app for one in SERVICES if one != catalogue.service)):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f'SET ROLE "{stronger}"')
        for forbidden in (
            "SET row_security = off; SELECT count(*) FROM outbox",
            "CREATE TABLE mine (id int)",
            "SET session_replication_role = replica",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)


async def test_a_service_does_not_enter_the_database_of_another(catalogue: Catalogue, stage: Stage) -> None:
    other = next(service for service in SERVICES if service != catalogue.service)
    own, theirs = stage.databases[catalogue.service], stage.databases[other]
    for role in ("owner", "app", "worker"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
            await asyncpg.connect(getattr(own, role).replace(own.name, theirs.name))


async def test_a_handle_that_nobody_has_names_nobody(stage: Stage, alpha: World) -> None:
    """The one function above the wall: exact handles only, no patterns, no lists."""
    async with session(stage, "gateway", "app") as connection:
        ask = "SELECT gateway_tenant_of($1, $2)"
        assert await connection.fetchval(ask, "slug", alpha.mark) == alpha.tenant
        for handle in ("%", "", "alph_", alpha.mark.upper(), str(new_id()), "' OR true --"):
            assert await connection.fetchval(ask, "slug", handle) is None
