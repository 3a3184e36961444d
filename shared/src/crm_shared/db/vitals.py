"""How a service's database is, for somebody who looks after it: facts only, what they mean is said elsewhere."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg

from crm_shared.clock import SystemClock
from crm_shared.db.arrival import branch_of
from crm_shared.db.away import FAILED
from crm_shared.db.migrations import Schema, known_revisions, newest_revisions
from crm_shared.db.walls import Roles

_CONNECT_WITHIN_S = 5.0
_ANSWER_WITHIN_S = 10.0

_SERVER = """
SELECT current_user AS role, current_setting('server_version_num')::int AS version, clock_timestamp() AS now,
       pg_database_size(current_database()) AS bytes, current_setting('max_connections')::int AS most,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS sessions,
       (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS over_the_wall,
       has_table_privilege(to_regclass('alembic_version'), 'SELECT') AS migrated
"""
_WAITING = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE parked_at IS NULL LIMIT 100000) o) AS unpublished,
       (SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8 FROM outbox
        WHERE parked_at IS NULL) AS oldest_s,
       (SELECT count(DISTINCT (tenant_id, aggregate_id)) FROM outbox WHERE parked_at IS NOT NULL) AS unsendable,
       (SELECT count(*) FROM consumer_key WHERE parked_at IS NOT NULL) AS parked
"""


class Unreachable(Exception):
    """A server can't be asked; the text says why, in words that lead to a cure."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not gone on: events on their way out, and keys that are held back."""

    unpublished: int
    oldest_s: float
    parked: int


@dataclass(frozen=True, slots=True)
class DatabaseVitals:
    """One database as its server tells it. `ahead_s`: how much later its clock is than ours."""

    version: int
    ahead_s: float
    size_bytes: int
    sessions: int
    most_sessions: int
    over_the_wall: bool
    lacks: frozenset[str] | None
    newer: frozenset[str]
    waiting: Waiting | None


async def look_at_database(schema: Schema, url: str) -> DatabaseVitals:
    """Ask a service's database how it is. An owner or a worker sees all; what a role may not see is None.

    Raises:
        Unreachable: it can't be asked.
    """
    roles = Roles.of(schema.service)
    connection = await connect(url)
    try:
        before = _now()
        (server,) = await connection.fetch(_SERVER)
        after = _now()
        applied = await _applied(connection) if server["migrated"] else None
        # Row-level security shows the app nothing outside a tenant: its nought would mean nothing.
        sees_all = server["over_the_wall"] or server["role"] in {roles.owner, roles.worker}
        waiting = await _waiting(connection) if applied and sees_all else None
    except FAILED as fault:
        raise Unreachable(_why(url, fault)) from None
    finally:
        await connection.close(timeout=_CONNECT_WITHIN_S)
    there = {branch_of(revision): revision for revision in applied or ()}
    return DatabaseVitals(
        version=server["version"],
        ahead_s=(server["now"] - (before + (after - before) / 2)).total_seconds(),
        size_bytes=server["bytes"],
        sessions=server["sessions"],
        most_sessions=server["most"],
        over_the_wall=server["over_the_wall"],
        lacks=_lacks(schema, there),
        newer=frozenset(applied or ()) - known_revisions(schema),
        waiting=waiting,
    )


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection for a few questions.

    Raises:
        Unreachable: there is none to be had.
    """
    try:
        return await asyncpg.connect(
            url,
            timeout=_CONNECT_WITHIN_S,
            command_timeout=_ANSWER_WITHIN_S,
            server_settings={"application_name": "crm-doctor", "default_transaction_read_only": "on"},
        )
    except (*FAILED, ValueError) as fault:
        raise Unreachable(_why(url, fault)) from None


def _lacks(schema: Schema, there: dict[str, str]) -> frozenset[str]:
    return frozenset(head for head in newest_revisions(schema) if there.get(branch_of(head), "") < head)


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    return [row["version_num"] for row in await connection.fetch("SELECT version_num FROM alembic_version")]


async def _waiting(connection: "asyncpg.Connection[asyncpg.Record]") -> Waiting | None:
    try:
        (row,) = await connection.fetch(_WAITING)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError):
        return None
    return Waiting(row["unpublished"], row["oldest_s"] or 0.0, row["parked"] + row["unsendable"])


def _why(url: str, fault: BaseException) -> str:
    place = urlsplit(url)
    where = f"{place.hostname}:{place.port or 5432}" if place.hostname else "the local socket"
    match fault:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            why = f"{where} refuses the login {place.username}"
        case asyncpg.InvalidCatalogNameError():
            why = f"{where} has no database {place.path.lstrip('/')}"
        case asyncpg.TooManyConnectionsError():
            why = f"{where} has no connection left"
        case socket.gaierror():
            why = f"nobody knows the name {place.hostname}"
        case TimeoutError():
            why = f"{where} does not answer"
        case ConnectionRefusedError() | FileNotFoundError():
            why = f"nothing listens at {where}"
        case _:
            why = f"{where}: {type(fault).__name__}: {fault}"
    return why


def _now() -> datetime:
    return SystemClock().now().astimezone(UTC)
