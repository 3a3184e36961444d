"""Making a service's database and roles on a server where we are the administrator."""

from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from crm_shared.db.walls import Roles
from crm_shared.settings import ServiceSettings

EXTENSIONS = ("pg_trgm", "unaccent", "btree_gist", "citext")


async def ensure_roles(connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> Roles:
    """Create the service's four roles where they are missing.

    `app` may become `finder`, and `worker` may become both, but neither inherits what the other may do.
    """
    roles = Roles.of(service)
    for role in (roles.owner, roles.app, roles.worker, roles.finder):
        exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        if exists is None:
            try:
                await connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
            except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                continue  # another process made it just now
    for granted, to in ((roles.finder, roles.app), (roles.finder, roles.worker), (roles.app, roles.worker)):
        try:
            await connection.execute(f"GRANT {granted} TO {to} WITH INHERIT FALSE, SET TRUE")
        except asyncpg.InternalServerError as error:  # two processes granting at once: "tuple concurrently updated"
            if "concurrently" not in str(error):
                raise
    return roles


async def ensure_database(admin_url: str, service: str, database: str) -> None:
    """Create roles, database and extensions where they are missing; safe to repeat."""
    connection = await asyncpg.connect(admin_url)
    try:
        roles = await ensure_roles(connection, service)
        exists = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
        if exists is None:
            await connection.execute(f'CREATE DATABASE "{database}" OWNER {roles.owner}')
            await keep_to_itself(connection, roles, database)
    finally:
        await connection.close()


async def keep_to_itself(connection: "asyncpg.Connection[asyncpg.Record]", roles: Roles, database: str) -> None:
    """Let nobody into a database but the service whose it is."""
    await connection.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    own = f"{roles.owner}, {roles.app}, {roles.worker}, {roles.finder}"
    await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO {own}')


async def ensure_extensions(admin_url_of_database: str, service: str) -> None:
    """Create the extensions that migrations rely on, and let the roles use the schema."""
    roles = Roles.of(service)
    connection = await asyncpg.connect(admin_url_of_database)
    try:
        for extension in EXTENSIONS:
            await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {roles.app}, {roles.worker}, {roles.finder}")
        await connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {roles.owner}")
    finally:
        await connection.close()


async def provision(service: str, settings: ServiceSettings) -> None:
    """Make a service's database, roles and extensions on a server of one's own; safe to repeat.

    The roles get the passwords that the settings' URLs hold, so that one file of settings says both.
    """
    database = urlsplit(settings.database_url).path.lstrip("/")
    await ensure_database(settings.admin_database_url, service, database)
    connection = await asyncpg.connect(settings.admin_database_url)
    try:
        for url in (settings.owner_database_url, settings.database_url, settings.worker_database_url):
            login = urlsplit(url)
            if login.username and login.password:
                # A utility statement takes no parameters; PostgreSQL itself quotes the values.
                statement = await connection.fetchval(
                    "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)",
                    login.username,
                    unquote(login.password),
                )
                await connection.execute(statement)
    finally:
        await connection.close()
    admin = urlsplit(settings.admin_database_url)
    await ensure_extensions(urlunsplit(admin._replace(path=f"/{database}")), service)
