"""How a server that is away, goes away or comes back shows itself through asyncpg."""

import asyncpg

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # The server's farewell reached an idle connection a moment before its end of file: asyncpg calls it internal.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
