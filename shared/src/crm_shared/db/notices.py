"""Word from one process to the others of its database: NOTIFY, heard on one connection of its own.

It is never sent inside a business transaction, which would halve the rate of commits; many pieces of news become one.
What is sent while nobody listens is lost, and behind a transaction-pooling proxy nobody ever hears: whoever waits for
news also looks from time to time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import asyncpg

from crm_shared.db.away import AWAY
from crm_shared.db.pool import Database

LONGEST = 7_900
"""PostgreSQL takes less than 8,000 bytes at once."""
_AGAIN_AFTER_S = 1.0
_KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

Heard = Callable[[str], None]


async def notify(database: Database, channel: str, text: str = "") -> None:
    """Tell all who listen; `text` has at most `LONGEST` bytes."""
    async with database.pool.acquire() as connection:
        await connection.execute("SELECT pg_notify($1, $2)", channel, text)


async def listen(url: str, channel: str, heard: Heard) -> NoReturn:
    """Call `heard` with each piece of news until cancelled; with nothing after each (re)connection."""

    async def connect() -> Any:
        settings = {"application_name": "crm-notices", **_KEEPALIVES}
        return await asyncpg.connect(url, server_settings=settings)

    await listen_by(connect, channel, heard)


async def listen_by(connect: Callable[[], Awaitable[Any]], channel: str, heard: Heard) -> NoReturn:
    """The same over connections made so."""
    while True:
        with suppress(*AWAY, asyncpg.PostgresError):
            connection = await connect()
            try:
                closed = asyncio.Event()
                connection.add_termination_listener(partial(_end, closed))
                await connection.add_listener(channel, partial(_pass_on, heard))
                heard("")
                await closed.wait()
            finally:
                connection.terminate()
        await asyncio.sleep(_AGAIN_AFTER_S)


def _end(closed: asyncio.Event, _connection: object) -> None:
    closed.set()


def _pass_on(heard: Heard, _connection: object, _process: object, _channel: object, text: object) -> None:
    heard(str(text))
