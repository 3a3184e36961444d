"""The one way a command runs: one transaction, one idempotency key, a rerun when the database asks for it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

import asyncpg

from crm_shared.db.idempotency import KeyRaced
from crm_shared.db.metadata import TENANT
from crm_shared.db.pool import Database, Tx
from crm_shared.errors import Conflict, CrmError, FieldError, Invalid, Unavailable
from crm_shared.observability.tracing import carrying_out
from crm_shared.tenancy import Viewer

P = ParamSpec("P")
R = TypeVar("R")

_RERUNS = 3
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, KeyRaced)


async def in_transaction(database: Database, viewer: Viewer, work: Callable[[Tx], Awaitable[R]]) -> R:
    """Run `work` in a transaction of the viewer's tenant and commit; only then return its result.

    A serialisation failure, a deadlock or a lost race for an idempotency key reruns all of `work`, up to three times.

    Raises:
        Conflict: a unique rule held against a parallel writer (its fields are named), or the reruns were used up.
        Invalid: a value breaks a rule that only the database checks, such as a NUL character in text.
    """
    for attempt in range(_RERUNS + 1):
        try:
            async with database.transaction(viewer.tenant) as tx:
                return await work(tx)
        except _AGAIN as error:
            if attempt == _RERUNS:
                raise Conflict("Too many writers at once; try again.", code="contended", retry_after_s=1) from error
            await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 # spreads retries, guards nothing
        except asyncpg.UniqueViolationError as error:
            raise await _taken(database, viewer, error) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            known = database_error(error)
            if known is None:
                raise
            raise known from error
    raise AssertionError("unreachable")


async def transact(
    database: Database,
    command: Callable[Concatenate[Tx, Viewer, P], Awaitable[R]],
    viewer: Viewer,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run one command in a transaction of its own, and commit."""

    async def work(tx: Tx) -> R:
        return await command(tx, viewer, *args, **kwargs)

    with carrying_out(database.service, command):
        return await in_transaction(database, viewer, work)


_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) ORDER BY attnum"


async def _taken(database: Database, viewer: Viewer, error: asyncpg.UniqueViolationError) -> Conflict:
    """A broken unique rule as the sender's fields. The error itself names none: behind row security it tells no key."""
    name = error.constraint_name or ""
    async with database.reading(viewer.tenant) as tx:
        rows = await tx.connection.fetch(_COLUMNS, name)
    fields = [str(row["attname"]).removesuffix("_folded") for row in rows if row["attname"] != TENANT]
    told = "Something with these identifying values already exists."
    named = tuple(FieldError(f"/{field}", "already_taken", told) for field in fields)
    return Conflict(told, code=name or "already_exists", errors=named)


def database_error(error: Exception) -> CrmError | None:  # noqa: PLR0911 # a table, in the shape of a match
    """What a database's error means to the sender of a request, or None where the fault is ours."""
    match error:
        case asyncpg.UniqueViolationError():
            code = error.constraint_name or "already_exists"
            return Conflict("Something with these identifying values already exists.", code=code)
        case asyncpg.CharacterNotInRepertoireError() | asyncpg.UntranslatableCharacterError():
            return Invalid("Text may not hold the NUL character.", code="text_has_nul")
        case asyncpg.NumericValueOutOfRangeError() | asyncpg.DatetimeFieldOverflowError() | asyncpg.DataError():
            return Invalid("A number, date or text is out of range.", code="out_of_range")
        case asyncpg.ForeignKeyViolationError():
            return Conflict("Something that this refers to doesn't exist, or is still in use.", code="reference_broken")
        case asyncpg.PostgresConnectionError() | asyncpg.OperatorInterventionError() | OSError():
            return Unavailable("The database is not reachable; try again shortly.", retry_after_s=2)
        case asyncpg.InsufficientResourcesError() | asyncpg.QueryCanceledError():
            return Unavailable("The database is busy; try again shortly.", retry_after_s=2)
        case asyncpg.InternalClientError():  # the server said farewell to an idle connection
            return Unavailable("The database connection was lost; try again shortly.", retry_after_s=2)
        case asyncpg.InterfaceError() if "connection" in str(error) or "pool" in str(error):
            return Unavailable("The database connection was lost; try again shortly.", retry_after_s=2)
        case _:
            return None
