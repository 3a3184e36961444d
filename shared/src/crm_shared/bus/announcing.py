"""Commits of one process wake the workers in others: one NOTIFY for many commits, from a connection of its own.

Inside a business transaction it would halve the throughput of commits: notifying transactions commit one at a time. A
lost announcement costs nothing but the worker's next look: polling goes on. LISTEN is on the worker's direct session;
NOTIFY passes a transaction-pooling proxy.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from crm_shared.db.away import FAILED
from crm_shared.db.pool import Database
from crm_shared.observability.logs import logger

CHANNEL = "crm_committed"
_PAUSE_S = 0.01
_AGAIN_AFTER_S = 1.0
_WITHIN_S = 10.0
_log = logger("bus.announcing")


@asynccontextmanager
async def announcing(database: Database, url: str, *, wanted: bool = True) -> AsyncGenerator[None]:
    """Announce this process' commits for as long as the block lasts, if that is wanted."""
    if not wanted:
        yield
        return
    committed = asyncio.Event()
    database.wakers.append(committed.set)
    task = asyncio.create_task(_announce(committed, url, database.service), name=f"{database.service}:announcing")
    try:
        yield
    finally:
        database.wakers.remove(committed.set)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _announce(committed: asyncio.Event, url: str, service: str) -> None:
    """Connect when there is something to say, and say it at most a hundred times a second."""
    connection: asyncpg.Connection[Any] | None = None
    try:
        while True:
            await committed.wait()
            try:
                connection = connection or await asyncpg.connect(
                    url, timeout=_WITHIN_S, command_timeout=_WITHIN_S,
                    server_settings={"application_name": f"crm-announcing-{service}"},
                )  # fmt: skip
                committed.clear()
                await connection.execute(f"NOTIFY {CHANNEL}")
            except FAILED as fault:
                _log.warning("not_announced", service=service, error=fault)
                if connection is not None:
                    connection.terminate()
                    connection = None
                await asyncio.sleep(_AGAIN_AFTER_S)
            await asyncio.sleep(_PAUSE_S)
    finally:
        if connection is not None:
            connection.terminate()
