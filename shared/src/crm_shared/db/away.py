"""How a server that is away, goes away or comes back shows itself through asyncpg."""

import asyncpg

from crm_shared.errors import Unavailable

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    # The server's farewell reached an idle connection a moment before its end of file: asyncpg calls it internal.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

PASSING = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.TooManyConnectionsError,
    Unavailable,
    *AWAY,
)
"""What may go away by itself: contention, a restarting server, a dependency that is not ready."""

FAILED = (asyncpg.PostgresError, *AWAY)
"""Whatever a database, or the way to it, may refuse a command that was typed by a person."""
