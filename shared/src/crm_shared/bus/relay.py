"""The relay: outbox rows become records on the bus, in order, and are deleted once acknowledged.

No cursor remembers "the last id": a transaction that commits late would be passed over. The keys are dealt to 16 slots;
whoever holds a slot's session advisory lock publishes its rows by id. Slots are shared fairly among the live workers,
who know each other by a shared lock. The locks live on one direct connection: behind a transaction-pooling proxy two
relays would share one. Should two overlap after a lost session, both send in order: consumers see repetitions only.

A process that has stopped keeps its connection, and so its locks. The others end the session of a relay that has been
silent for long: a live one speaks every few seconds, even while it waits for the bus.
"""

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from crm_shared.bus import metrics
from crm_shared.bus.announcing import CHANNEL
from crm_shared.bus.port import Bus, BusUnavailable, Record, RecordRefused, TopicMissing
from crm_shared.bus.spans import Place, sending
from crm_shared.bus.wake import Doorbell, is_set_within
from crm_shared.clock import SystemClock
from crm_shared.db.away import AWAY
from crm_shared.db.outbox import SLOTS
from crm_shared.db.pool import Database
from crm_shared.events import CONTENT_TYPE, Envelope
from crm_shared.observability.logs import logger

_log = logger("bus.relay")
BATCH = 500
_LOCKS = 7_260_116
_PRESENCE = 1_000
# Another process' announcement may be lost, or not be made at all: while there is work, look often.
_POLL_S = 0.025
_IDLE_POLL_S = 1.0
_BUSY_FOR_S = 5.0
_BALANCE_EVERY_S = 2.0
_RETRY_PARKED_AFTER_S = 15.0
_FINISH_WITHIN_S = 10.0
_SPEAK_EVERY_S = 2.0
SILENT_AFTER_S = 10.0

_WAITING = """
SELECT o.id, o.slot, o.event_id, o.type, o.subject, o.created_at, o.tenant_id, o.aggregate_id, o.epoch, o.seq,
       o.traceparent, o.tracestate, o.data
FROM unnest($1::smallint[]) AS held(slot) CROSS JOIN LATERAL (
    SELECT * FROM outbox r WHERE r.slot = held.slot AND r.parked_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM outbox p
        WHERE p.tenant_id = r.tenant_id AND p.aggregate_id = r.aggregate_id AND p.parked_at IS NOT NULL)
    ORDER BY r.id LIMIT $2
) o
"""
_DELETE = """
DELETE FROM outbox o USING unnest($1::smallint[], $2::bigint[]) AS d(slot, id) WHERE o.slot = d.slot AND o.id = d.id
"""
_PARK = """
UPDATE outbox o SET parked_at = clock_timestamp(), park_reason = $3
FROM unnest($1::smallint[], $2::bigint[]) AS d(slot, id) WHERE o.slot = d.slot AND o.id = d.id
"""
_UNPARK = """
UPDATE outbox SET parked_at = NULL
WHERE parked_at < clock_timestamp() - make_interval(secs => $2) AND slot = ANY($1::smallint[])
"""
_LIVE = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 2 AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_END_SILENT = """
SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.objsubid = 2 AND l.granted
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND a.state = 'idle' AND a.state_change < clock_timestamp() - make_interval(secs => $3)
"""


class Relay:
    """One worker's share of publishing a service's events."""

    def __init__(
        self, database: Database, bus: Bus, *, direct_url: str, source: str, heard: Callable[[], None] | None = None
    ) -> None:
        self._role = database.roles.worker
        self._bus = bus
        self._url = direct_url
        self._source = source
        self._place = Place(source, bus.system)
        self._clock = SystemClock()
        self._doorbell = Doorbell()
        self._heard = heard or self.wake
        self._held: list[int] = []
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def slots(self) -> frozenset[int]:
        """The slots this worker publishes now."""
        return frozenset(self._held)

    def wake(self) -> None:
        """Something was committed."""
        self._doorbell.ring()

    def _hear(self, *_: object) -> None:
        self._heard()

    async def run(self) -> None:
        """Publish until `stop`; a lost database or bus is waited for."""
        self._stopping.clear()
        self._running = asyncio.current_task()
        try:
            while not self._stopping.is_set():
                try:
                    await self._session()
                except AWAY as error:
                    _log.warning("database_away", service=self._source, error=error)
                    await self._pause()
        finally:
            self._running = None

    async def stop(self) -> None:
        """One last pass within ten seconds, then let the slots go. A bus that is away is not waited for."""
        self._stopping.set()
        self._doorbell.ring()
        running = self._running
        if running is None or running is asyncio.current_task():
            return
        done, _ = await asyncio.wait([running], timeout=_FINISH_WITHIN_S)
        if not done:
            running.cancel()
            await asyncio.wait([running], timeout=_FINISH_WITHIN_S)

    async def _session(self) -> None:
        connection = await self._connect()
        try:
            await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", _LOCKS, _PRESENCE)
            await connection.add_listener(CHANNEL, self._hear)
            await self._work(connection)
            await connection.close(timeout=5)
        finally:
            self._held = []
            connection.terminate()

    async def _connect(self) -> "asyncpg.Connection[Any]":
        # A deletion that is lost with the machine only publishes again, so nobody waits for the disk.
        settings = {
            "application_name": f"crm-relay-{self._source}", "jit": "off", "synchronous_commit": "off",
            "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
            # An outbox is empty now and full in a minute, whatever its statistics say. A plan that hashes or sorts
            # reads all of a backlog for each batch of it: at 200,000 rows an event cost nine times as much.
            "plan_cache_mode": "force_custom_plan", "enable_hashjoin": "off", "enable_mergejoin": "off",
            "enable_bitmapscan": "off", "enable_seqscan": "off", "enable_sort": "off",
        }  # fmt: skip
        connection = await asyncpg.connect(self._url, command_timeout=30, server_settings=settings)
        await connection.execute(f"SET ROLE {self._role}")
        return connection

    async def _work(self, connection: "asyncpg.Connection[Any]") -> None:
        balanced_s = busy_s = -math.inf
        while True:
            last = self._stopping.is_set()
            now_s = asyncio.get_running_loop().time()
            if now_s - balanced_s >= _BALANCE_EVERY_S and not last:
                await self._balance(connection)
                balanced_s = now_s
            moved = await self._pass(connection)
            if moved:
                busy_s = now_s
            elif last:
                return
            else:
                await self._doorbell.wait(_POLL_S if now_s - busy_s < _BUSY_FOR_S else _IDLE_POLL_S)

    async def _balance(self, connection: "asyncpg.Connection[Any]") -> None:
        """Hold a fair share of the slots, and no more; give what couldn't be sent another chance."""
        for _ in await connection.fetch(_END_SILENT, _LOCKS, _PRESENCE, SILENT_AFTER_S):
            _log.warning("silent_relay_ended", service=self._source)
        live = await connection.fetchval(_LIVE, _LOCKS, _PRESENCE)
        fair = math.ceil(SLOTS / max(live, 1))
        while len(self._held) > fair:
            slot = self._held.pop()
            await connection.execute("SELECT pg_advisory_unlock($1, $2)", _LOCKS, slot)
        free = [slot for slot in range(SLOTS) if slot not in self._held]
        random.shuffle(free)
        for slot in free:
            if len(self._held) >= fair:
                break
            if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCKS, slot):
                self._held.append(slot)
        await connection.execute(_UNPARK, self._held, _RETRY_PARKED_AFTER_S)

    async def _pass(self, connection: "asyncpg.Connection[Any]") -> int:
        """Publish one batch and delete it; says how many rows moved."""
        if not self._held:
            return 0
        rows = await connection.fetch(_WAITING, self._held, max(BATCH // len(self._held), 1))
        if not rows:
            return 0
        try:
            envelopes = [self._envelope(row) for row in rows]
            with sending(self._place, envelopes):
                await self._publish(connection, [_record(envelope) for envelope in envelopes])
        except RecordRefused as error:
            await self._park(connection, [rows[at] for at in error.positions], error.reason)
            return 0
        except TopicMissing as error:
            await self._park(connection, [row for row in rows if _topic(row) in error.topics], str(error))
            return 0
        except BusUnavailable as error:
            _log.warning("bus_away", service=self._source, error=error)
            await self._pause()
            return 0
        await connection.execute(_DELETE, [row["slot"] for row in rows], [row["id"] for row in rows])
        metrics.PUBLISHED.labels(self._source).inc(len(rows))
        oldest = min(row["created_at"] for row in rows)
        metrics.PUBLISH_SECONDS.labels(self._source).observe((self._clock.now() - oldest).total_seconds())
        return len(rows)

    async def _publish(self, connection: "asyncpg.Connection[Any]", records: Sequence[Record]) -> None:
        """Publish, showing a sign of life meanwhile; whose session is lost gives up, as its slots have other owners."""
        publishing = asyncio.create_task(self._bus.publish(records))
        try:
            while not (await asyncio.wait([publishing], timeout=_SPEAK_EVERY_S))[0]:
                await connection.execute("SELECT 1")
            publishing.result()
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    async def _park(self, connection: "asyncpg.Connection[Any]", rows: Sequence[Any], reason: str) -> None:
        await connection.execute(_PARK, [row["slot"] for row in rows], [row["id"] for row in rows], reason)
        metrics.UNSENDABLE.labels(self._source).inc(len(rows))
        _log.error(
            "unsendable",
            service=self._source,
            rows=len(rows),
            types=sorted({row["type"] for row in rows}),
            reason=reason,
        )
        self._doorbell.ring()

    def _envelope(self, row: Any) -> Envelope:
        return Envelope(
            id=row["event_id"],
            type=row["type"],
            source=self._source,
            subject=row["subject"],
            time=row["created_at"],
            tenant=row["tenant_id"],
            aggregate_id=row["aggregate_id"],
            epoch=row["epoch"],
            sequence=row["seq"],
            traceparent=row["traceparent"],
            data=row["data"],
            tracestate=row["tracestate"],
        )

    async def _pause(self) -> None:
        await is_set_within(self._stopping, random.uniform(0.2, 2.0))  # noqa: S311 # spreads retries


def _record(envelope: Envelope) -> Record:
    headers = {
        "content-type": CONTENT_TYPE,
        "ce_id": str(envelope.id),
        "ce_type": envelope.type,
        "ce_source": envelope.source,
        "ce_subject": envelope.subject,
    }
    if envelope.traceparent:
        headers["traceparent"] = envelope.traceparent
    if envelope.tracestate:
        headers["tracestate"] = envelope.tracestate
    return Record(envelope.topic, envelope.key, envelope.to_bytes(), headers)


def _topic(row: Any) -> str:
    return ".".join(row["type"].split(".", 2)[:2])
