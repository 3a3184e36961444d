"""The bus on PostgreSQL: an append-only partitioned log in a database of its own (see `log_schema`).

For one machine and small installations. The URL's login role decides what it may do. LISTEN needs a direct connection;
behind a transaction-pooling proxy the wake-up is lost and polling carries on.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

import asyncpg
import orjson

from crm_shared.bus import log_schema, wake
from crm_shared.bus.log_member import Member, delivered_from
from crm_shared.bus.log_subscription import LogSubscription
from crm_shared.bus.partition import PARTITIONS, partition_of
from crm_shared.bus.port import (
    MAX_RECORD_BYTES,
    RETENTION,
    BusUnavailable,
    Delivered,
    Record,
    RecordRefused,
    TopicMissing,
)
from crm_shared.db.away import AWAY
from crm_shared.db.notices import listen_by
from crm_shared.observability.logs import logger

_log = logger("bus.postgres_log")
_POOL = 4
_REPLAY_PAGE = 1_000
_NOTIFY_PAUSE_S = 0.01
_SWEEP_EVERY_S = 600.0
_SWEEP_CHUNK = 5_000
_SWEEP_LOCK = 7_260_118
_COMMAND_TIMEOUT_S = 30.0


@asynccontextmanager
async def unavailable_when_away() -> AsyncGenerator[None]:
    """Turn what asyncpg raises about lost connections into the port's own error."""
    try:
        yield
    except AWAY as error:
        raise BusUnavailable(f"the log's database is away: {type(error).__name__}: {error}") from error


class PostgresLog:
    """The log as one process sees it."""

    system: ClassVar[str] = "postgresql"

    def __init__(self, url: str, *, session_s: float = 10.0, retention: timedelta = RETENTION) -> None:
        self._url = url
        self._session_s = session_s
        self._retention = retention
        self._pool: asyncpg.Pool[Any] | None = None
        self._starting = asyncio.Lock()
        self._topics: dict[str, int] = {}
        self._news = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None

    async def publish(self, records: Sequence[Record]) -> None:
        """Append all in one transaction: either every record is in the log or none is."""
        if not records:
            return
        oversized = [at for at, record in enumerate(records) if len(record.value) > MAX_RECORD_BYTES]
        if oversized:
            raise RecordRefused(oversized, f"larger than {MAX_RECORD_BYTES} bytes")
        async with unavailable_when_away():
            pool = await self._started()
            ids = await self._topic_ids({record.topic for record in records})
            await pool.fetchval(
                "SELECT bus.append($1, $2, $3, $4, $5)",
                [ids[record.topic] for record in records],
                [partition_of(record.key) for record in records],
                [record.key for record in records],
                [orjson.dumps(dict(record.headers)).decode() if record.headers else "{}" for record in records],
                [record.value for record in records],
            )
        wake.ring_all(self._url)
        self._news.set()

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create the schema and those topics that don't exist yet."""
        async with unavailable_when_away():
            pool = await self._started()
            async with pool.acquire() as connection:
                await log_schema.create_log(connection)
                await log_schema.create_topics(connection, list(topics), PARTITIONS)

    async def missing_topics(self, topics: Sequence[str]) -> list[str]:
        """Those that don't exist."""
        async with unavailable_when_away():
            pool = await self._started()
            if not await pool.fetchval("SELECT to_regclass('bus.lease') IS NOT NULL"):
                return list(topics)
            known = await pool.fetch("SELECT name FROM bus.topic WHERE name = ANY($1)", list(topics))
        names = {row["name"] for row in known}
        return [topic for topic in topics if topic not in names]

    async def subscribe(self, group: str, topics: Sequence[str]) -> LogSubscription:
        """Join a group; members of one group share the partitions of what they subscribe to."""
        async with unavailable_when_away():
            pool = await self._started()
            ids = await self._topic_ids(topics)
            self._listen()
            member = Member(group=group, topics=ids, session_s=self._session_s)
            return await LogSubscription.join(
                member, pool=pool, connect=self._connect, doorbell=wake.hang(self._url), ring=self._announce
            )

    async def replay(
        self, topic: str, *, from_offsets: Mapping[int, int] | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Delivered, None]:
        """Read the topic's partitions one after the other, up to their ends as of now."""
        pool = await self._started()
        topic_id = (await self._topic_ids([topic]))[topic]
        ends = await pool.fetch("SELECT part, next_offset FROM bus.head WHERE topic_id = $1 ORDER BY part", topic_id)
        for part, end in ends:
            if from_offsets is not None and part not in from_offsets:
                continue
            start = from_offsets[part] if from_offsets is not None else 0
            if since is not None:
                start = max(start, await pool.fetchval("SELECT bus.offset_at($1, $2, $3)", topic_id, part, since))
            while start < end:
                page = await pool.fetch(
                    "SELECT topic_id, part, off, at, key, headers, value FROM bus.record "
                    "WHERE topic_id = $1 AND part = $2 AND off >= $3 AND off < $4 ORDER BY off LIMIT $5",
                    topic_id, part, start, end, _REPLAY_PAGE,
                )  # fmt: skip
                if not page:
                    break
                start = page[-1]["off"] + 1
                for row in page:
                    yield delivered_from(row, topic)

    async def sweep(self, *, now: datetime | None = None) -> int:
        """Delete records older than the retention, in chunks; says how many went."""
        pool = await self._started()
        heads = await pool.fetch("SELECT topic_id, part FROM bus.head WHERE next_offset > 0")
        removed = 0
        for topic_id, part in heads:
            while True:
                status = await pool.execute(
                    "WITH oldest AS MATERIALIZED (SELECT topic_id, part, off, at FROM bus.record "
                    "WHERE topic_id = $1 AND part = $2 ORDER BY off LIMIT $3) "
                    "DELETE FROM bus.record r USING oldest o WHERE r.topic_id = o.topic_id AND r.part = o.part "
                    "AND r.off = o.off AND o.at < coalesce($4, now()) - $5::interval",
                    topic_id, part, _SWEEP_CHUNK, now, self._retention,
                )  # fmt: skip
                count = int(status.rsplit(" ", 1)[-1])
                removed += count
                if count < _SWEEP_CHUNK:
                    break
        return removed

    async def aclose(self) -> None:
        """Stop listening and give the connections back."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def _started(self) -> "asyncpg.Pool[Any]":
        if self._pool is None:
            async with self._starting:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self._url,
                        min_size=1,
                        max_size=_POOL,
                        command_timeout=_COMMAND_TIMEOUT_S,
                        server_settings={"application_name": "crm-bus", "jit": "off"},
                    )
                    self._background.append(asyncio.create_task(self._notify(), name="bus-notify"))
        return self._pool

    async def _connect(self) -> "asyncpg.Connection[Any]":
        # A lost acknowledgement only delivers again, so no member waits for the disk.
        settings = {
            "application_name": "crm-bus-member", "jit": "off", "synchronous_commit": "off",
            "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
        }  # fmt: skip
        return await asyncpg.connect(self._url, command_timeout=_COMMAND_TIMEOUT_S, server_settings=settings)

    async def _topic_ids(self, topics: Iterable[str]) -> dict[str, int]:
        wanted = set(topics)
        if not wanted <= self._topics.keys():
            pool = await self._started()
            with suppress(asyncpg.UndefinedTableError):
                self._topics = {row["name"]: row["id"] for row in await pool.fetch("SELECT id, name FROM bus.topic")}
        missing = sorted(wanted - self._topics.keys())
        if missing:
            raise TopicMissing(missing)
        return {topic: self._topics[topic] for topic in wanted}

    def _announce(self) -> None:
        wake.ring_all(self._url)
        self._news.set()

    async def _notify(self) -> None:
        """Tell other processes, once for many appends and never inside anybody's transaction."""
        while True:
            await self._news.wait()
            self._news.clear()
            pool = self._pool
            if pool is None:
                return
            with suppress(*AWAY):
                await pool.execute(f"NOTIFY {log_schema.CHANNEL}")
            await asyncio.sleep(_NOTIFY_PAUSE_S)

    def _listen(self) -> None:
        if self._listening is None:
            self._listening = asyncio.create_task(self._hear(), name="bus-listen")
            self._background += [self._listening, asyncio.create_task(self._sweep_now_and_then(), name="bus-sweep")]

    async def _hear(self) -> None:
        """Ring this process's doorbells when another process has published; polling covers the gaps."""
        await listen_by(self._connect, log_schema.CHANNEL, lambda _: wake.ring_all(self._url))

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            try:
                async with (await self._started()).acquire() as connection:
                    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _SWEEP_LOCK):
                        continue
                    try:
                        removed = await self.sweep()
                    finally:
                        await connection.execute("SELECT pg_advisory_unlock($1)", _SWEEP_LOCK)
                if removed:
                    _log.info("retention", removed=removed)
            except (*AWAY, asyncpg.PostgresError) as error:
                _log.warning("retention_failed", exc_info=error)
