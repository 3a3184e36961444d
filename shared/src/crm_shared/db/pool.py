"""Transactions: every one belongs to one tenant, runs as one role, and ends by the hand that began it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Table
from sqlalchemy.sql import ClauseElement

from crm_shared.db import finder, metrics
from crm_shared.db.away import AWAY
from crm_shared.db.statements import fixed, insert_of_columns, shaped
from crm_shared.db.walls import Roles
from crm_shared.events import EventPayload
from crm_shared.observability.vitals import VITALS

Record = asyncpg.Record

NO_TENANT = UUID(int=0)
_ROLLBACK_TIMEOUT_S = 5.0
_WAITED_S = 0.001
_PLAN_ANEW = "SET LOCAL plan_cache_mode = force_custom_plan"
Plans = Literal["force_custom_plan", "auto"]


@dataclass(slots=True)
class Pending:
    """One emitted event that waits for its transaction's end."""

    aggregate: str
    aggregate_id: UUID
    payload: EventPayload


@dataclass(slots=True)
class Tx:
    """One open transaction of one tenant.

    Events emitted here are written to the outbox just before the commit, so that the rows which keep an aggregate's
    events in order are locked as late as possible.
    """

    connection: "asyncpg.pool.PoolConnectionProxy[Any] | asyncpg.Connection[Any]"
    tenant: UUID
    roles: Roles
    as_finder: bool = False
    pending: list[Pending] = field(default_factory=list[Pending])
    after_commit: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    async def one(self, statement: ClauseElement, params: Mapping[str, Any] | None = None) -> Record | None:
        """The first row, or None."""
        sql, arguments = _bind(statement, params)
        return await self.connection.fetchrow(sql, *arguments)

    async def all(self, statement: ClauseElement, params: Mapping[str, Any] | None = None) -> list[Record]:
        """All rows."""
        sql, arguments = _bind(statement, params)
        return await self.connection.fetch(sql, *arguments)

    async def scalar(self, statement: ClauseElement, params: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        sql, arguments = _bind(statement, params)
        return await self.connection.fetchval(sql, *arguments)

    async def run(self, statement: ClauseElement, params: Mapping[str, Any] | None = None) -> int:
        """How many rows the statement touched."""
        sql, arguments = _bind(statement, params)
        status = await self.connection.execute(sql, *arguments)
        count = status.rsplit(" ", 1)[-1]
        return int(count) if count.isdigit() else 0

    async def many(self, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement with named parameters once for each row, pipelined."""
        if rows:
            prepared = fixed(statement)
            await self.connection.executemany(prepared.sql, [prepared.arguments(row) for row in rows])

    async def copy(self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Insert many rows in one statement, a column an array, and say how many.

        PostgreSQL refuses COPY into a table under row-level security.
        """
        values = [list(column) for column in zip(*rows, strict=True)]
        if not values:
            return 0
        insert = insert_of_columns(table, tuple(columns))
        for nth in insert.json:
            values[nth] = [None if value is None else orjson.dumps(value).decode() for value in values[nth]]
        status = await self.connection.execute(insert.sql, *values)
        return int(status.rsplit(" ", 1)[-1])

    async def find(self, statement: Any, params: Mapping[str, Any] | None = None) -> list[Record]:
        """Rows of a SELECT whose operators no index serves behind a policy (ILIKE, trigrams, jsonb, segments).

        It runs as the read-only finder role, after the kernel has added this tenant's predicate to every tenant table
        in it and verified that none was missed.
        """
        if params is None:
            sql, arguments = shaped(finder.within_tenant(statement, self.tenant))
        else:
            sql, arguments = _bind(finder.walled(statement), {**params, finder.TENANT_OF_FINDER: self.tenant})
        if self.as_finder:
            return await self.connection.fetch(sql, *arguments)
        await self.connection.execute(f"SAVEPOINT before_find; SET LOCAL ROLE {self.roles.finder}; {_PLAN_ANEW}")
        try:
            rows = await self.connection.fetch(sql, *arguments)
        except BaseException:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                await self.connection.execute("ROLLBACK TO SAVEPOINT before_find")
            raise
        await self.connection.execute(
            f"RELEASE SAVEPOINT before_find; SET LOCAL ROLE {self.roles.app}; SET LOCAL plan_cache_mode TO DEFAULT"
        )
        return rows

    def emit(self, payload: EventPayload, *, aggregate_id: UUID) -> None:
        """Say what happened to an aggregate; it is published if, and only if, this transaction commits."""
        self.pending.append(Pending(payload.aggregate(), aggregate_id, payload))


def _bind(statement: ClauseElement, params: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    if params is None:
        return shaped(statement)
    prepared = fixed(statement)
    return prepared.sql, prepared.arguments(params)


Flush = Callable[[Tx, Sequence[Pending]], "asyncio.Future[None] | Any"]


class Database:
    """One service's database as one process sees it: a pool of connections and the four roles."""

    def __init__(self, pool: "asyncpg.Pool[Any]", service: str, *, login: str = "", flush: Flush | None = None) -> None:
        self.pool = pool
        self._login = login
        self.service = service
        self.roles = Roles.of(service)
        self._flush = flush
        self.wakers: list[Callable[[], None]] = []

    @classmethod
    async def open(
        cls, url: str, service: str, *, size: int = 6, flush: Flush | None = None, plans: Plans = "force_custom_plan"
    ) -> "Database":
        """Connect as the role that `url` names (the service's app or worker).

        `plans` is PostgreSQL's `plan_cache_mode`. Planned anew each time, a look-up by key costs twice as much; a
        generic plan of what `find` runs walks the sort index and skips the right one, so that is planned anew anyway.
        """
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=prepare_connection,
            reset=_no_reset,
            statement_cache_size=1_000,
            max_cached_statement_lifetime=0,
            server_settings={
                "plan_cache_mode": plans,
                "application_name": f"crm-{service}",
                "jit": "off",
            },
        )
        login = await pool.fetchval("SELECT session_user")
        opened = cls(pool, service, login=login, flush=flush)
        VITALS.watch(opened)
        return opened

    async def close(self) -> None:
        """Give all connections back; those still busy after ten seconds are cut."""
        try:
            async with asyncio.timeout(10):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()

    async def ping(self) -> None:
        """Return if the database answers."""
        async with self.pool.acquire() as connection:
            await connection.fetchval("SELECT 1")

    def show(self) -> None:
        """Set the gauges of connections."""
        metrics.POOL.labels(self.service, "busy").set(self.pool.get_max_size() - self.idle)
        metrics.POOL.labels(self.service, "most").set(self.pool.get_max_size())

    @property
    def idle(self) -> int:
        """How many connections are free now, counting those not opened yet."""
        return self.pool.get_idle_size() + self.pool.get_max_size() - self.pool.get_size()

    def transaction(
        self, tenant: UUID, *, idle_at_most_s: float | None = None
    ) -> AbstractAsyncContextManager[Tx, None]:
        """A transaction of `tenant` as the app role; commits at the end of the block, rolls back on any exception.

        The server ends it, locks and all, when no statement comes for `idle_at_most_s`.
        """
        limit = (
            f"; SET LOCAL idle_in_transaction_session_timeout = {idle_at_most_s * 1000:.0f}" if idle_at_most_s else ""
        )
        return self._begin(tenant, f"BEGIN{limit}", self.roles.app)

    def reading(self, tenant: UUID, *, as_finder: bool = False) -> AbstractAsyncContextManager[Tx, None]:
        """A read-only transaction of `tenant`."""
        role = self.roles.finder if as_finder else self.roles.app
        return self._begin(
            tenant, f"BEGIN READ ONLY; {_PLAN_ANEW}" if as_finder else "BEGIN READ ONLY", role, as_finder=as_finder
        )

    def across(self) -> AbstractAsyncContextManager[Tx, None]:
        """A transaction of the worker role over all tenants, for the kernel's machinery; see `become`."""
        return self._begin(NO_TENANT, "BEGIN", self.roles.worker)

    def _begin(self, tenant: UUID, begin: str, role: str, *, as_finder: bool = False) -> "_Transaction":
        become = "" if role == self._login else f"; SET LOCAL ROLE {role}"
        # One message opens the transaction and names the tenant; the text comes from a parsed uuid only.
        opening = f"{begin}{become}; SET LOCAL app.tenant_id = '{UUID(int=tenant.int)}'"
        return _Transaction(self, opening, tenant, as_finder=as_finder)

    async def become(self, tx: Tx, tenant: UUID) -> None:
        """Turn a transaction of `across` into one of `tenant`: what follows runs as the app role."""
        tx.tenant = tenant
        await tx.connection.execute(f"SET LOCAL ROLE {self.roles.app}; SET LOCAL app.tenant_id = '{tenant}'")

    async def write_pending(self, tx: Tx) -> None:
        """Write the events of a transaction that is about to commit."""
        if self._flush is None:
            raise RuntimeError(f"the {self.service} database was opened without an outbox; it cannot emit events")
        await self._flush(tx, tx.pending)

    def committed(self, tx: Tx) -> None:
        """Tell those who wait for commits."""
        for act in tx.after_commit:
            act()
        if tx.pending or tx.after_commit:
            for wake in self.wakers:
                wake()


class _Transaction:
    """One transaction from its opening message to its end. A class, not a generator: this is every request's path."""

    __slots__ = ("_as_finder", "_database", "_opening", "_tenant", "_tx")

    def __init__(self, database: Database, opening: str, tenant: UUID, *, as_finder: bool) -> None:
        self._database = database
        self._opening = opening
        self._tenant = tenant
        self._as_finder = as_finder

    async def __aenter__(self) -> Tx:
        began_s = time.perf_counter()
        connection = await self._database.pool.acquire()
        waited_s = time.perf_counter() - began_s
        if waited_s > _WAITED_S:  # whom nobody let wait isn't worth a microsecond
            metrics.POOL_WAIT.labels(self._database.service).observe(waited_s)
        try:
            await connection.execute(self._opening)
        except BaseException:
            await self._abandon(connection)
            raise
        self._tx = Tx(connection, self._tenant, self._database.roles, as_finder=self._as_finder)
        return self._tx

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        tx = self._tx
        connection = tx.connection
        if error is not None:
            await self._abandon(connection)
            return
        try:
            if tx.pending:
                await self._database.write_pending(tx)
            await connection.execute("COMMIT")
        except BaseException:
            await self._abandon(connection)
            raise
        await self._database.pool.release(connection)
        self._database.committed(tx)

    async def _abandon(self, connection: Any) -> None:
        try:
            await _roll_back(connection)
        finally:
            await self._database.pool.release(connection)


async def _roll_back(connection: Any) -> None:
    try:
        rolling: asyncio.Future[Any] = asyncio.ensure_future(connection.execute("ROLLBACK"))
        # Should nobody wait for it any more, its failure is no news.
        rolling.add_done_callback(lambda done: done.cancelled() or done.exception())
        async with asyncio.timeout(_ROLLBACK_TIMEOUT_S):
            await asyncio.shield(rolling)
    except (asyncpg.PostgresError, *AWAY, asyncio.CancelledError) as error:
        # A connection that the server has closed is no longer in our hands; what broke it is the news.
        with suppress(asyncpg.InterfaceError):
            connection.terminate()
        if isinstance(error, asyncio.CancelledError):
            raise  # whoever was told to go meanwhile goes


async def prepare_connection(connection: Any) -> None:
    """Let jsonb columns hold parsed values."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=_write_jsonb,
        decoder=_read_jsonb,
    )


def _write_jsonb(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _read_jsonb(raw: bytes) -> Any:
    return orjson.loads(raw[1:])


async def _no_reset(connection: Any) -> None:
    """Every transaction here cleans up after itself, so the pool's own reset query is a wasted round trip."""
