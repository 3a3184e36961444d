"""Waiting until a database has come as far as the code that is about to use it.

A release's processes may be started together with its migrations, in any order and by any tool: they begin when those
are through, and until then the release before goes on.
"""

import asyncio
import time

import asyncpg

from crm_shared.db.migrations import Schema, newest_revisions
from crm_shared.observability.logs import logger

_log = logger("migrations")
_LOOK_EVERY_S = 0.5
_CONNECT_WITHIN_S = 5.0
_NOT_THERE_YET = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def missing_revisions(schema: Schema, url: str) -> set[str]:
    """The versions that this code migrates to and the database is still below; by any role's URL.

    A database that newer code has migrated lacks nothing: what was added since is no business of this code.
    """
    connection = await asyncpg.connect(url, timeout=_CONNECT_WITHIN_S)
    try:
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    finally:
        await connection.close()
    there = {branch_of(row["version_num"]): row["version_num"] for row in rows}
    return {head for head in newest_revisions(schema) if there.get(branch_of(head), "") < head}


def branch_of(revision: str) -> str:
    """`customer` of `customer_0007`; within a branch, revisions ascend as text."""
    return revision.rpartition("_")[0]


async def until_migrated(schema: Schema, url: str, *, within_s: float) -> None:
    """Return when the database is as new as this code.

    Raises:
        TimeoutError: it isn't after so many seconds; the message says what it lacks.
    """
    deadline = time.monotonic() + within_s
    told = ""
    while True:
        try:
            missing = await missing_revisions(schema, url)
            if not missing:
                return
            lacks = f"{schema.service} lacks {', '.join(sorted(missing))}"
        except _NOT_THERE_YET as error:  # no server yet, no database, no table of versions, or not our password yet
            lacks = f"{schema.service} can't be asked for its versions: {type(error).__name__}"
        if time.monotonic() > deadline:
            raise TimeoutError(lacks)
        if lacks != told:
            _log.info("waiting_for_migrations", why=lacks)
            told = lacks
        await asyncio.sleep(_LOOK_EVERY_S)
