"""The outbox: emitted events become rows of the same transaction; a relay publishes and deletes them.

The sequence row is bumped first and its lock is held until the commit; only then does the event take its id. So the ids
of one aggregate's events ascend in commit order, and whoever sees a later one sees all earlier ones.
"""

from binascii import crc32
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crm_shared.db.pool import Database, Pending, Tx
from crm_shared.errors import TooLarge
from crm_shared.events import partition_key
from crm_shared.ids import new_id, public_id
from crm_shared.observability.tracing import current_trace

SLOTS = 16
MAX_EVENT_BYTES = 900_000
"""Under what any bus takes, envelope included, so that no committed event is ever refused."""
ROOM = 2_000
"""Bulk writers pause while more rows than this wait, so that an import never delays somebody's consent."""
SNAPSHOT_SUFFIX = ".snapshot.v1"

_ONE = """
WITH bumped AS (
    INSERT INTO event_sequence AS s (tenant_id, aggregate, aggregate_id, seq) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant_id, aggregate, aggregate_id) DO UPDATE SET seq = s.seq + excluded.seq
    RETURNING epoch, seq
)
INSERT INTO outbox (tenant_id, event_id, aggregate, aggregate_id, epoch, seq, type, slot, subject, traceparent,
                    tracestate, data)
SELECT $1, $5, $2, $3, epoch, seq, $6, $7, $8, $9, $10, $11 FROM bumped
"""
_BUMP = """
INSERT INTO event_sequence AS s (tenant_id, aggregate, aggregate_id, seq)
SELECT $1, a, i, n FROM unnest($2::text[], $3::uuid[], $4::bigint[]) AS u(a, i, n) ORDER BY a COLLATE "C", i
ON CONFLICT (tenant_id, aggregate, aggregate_id) DO UPDATE SET seq = s.seq + excluded.seq
RETURNING aggregate, aggregate_id, epoch, seq
"""
_MANY = """
INSERT INTO outbox (tenant_id, event_id, aggregate, aggregate_id, epoch, seq, type, slot, subject, traceparent,
                    tracestate, data)
SELECT $1, e, a, i, p, s, t, l, j, $10, $11, d
FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::bigint[], $7::text[], $8::smallint[], $9::text[],
            $12::text[]) WITH ORDINALITY AS u(e, a, i, p, s, t, l, j, d, nth)
ORDER BY nth
"""


def slot_of(tenant: UUID, aggregate_id: UUID) -> int:
    """The relay slot of a key; all events of a key pass through one slot."""
    return crc32(partition_key(tenant, aggregate_id).encode()) % SLOTS


async def flush_outbox(tx: Tx, pending: Sequence[Pending]) -> None:
    """Write emitted events to the outbox: one round trip for one event, two for many.

    A snapshot carries the aggregate's present sequence instead of taking the next, under the same row lock.

    Raises:
        TooLarge: an event's data is over 900 KB.
    """
    if len(pending) == 1:
        await _flush_one(tx, pending[0])
    elif pending:
        await _flush_many(tx, pending)


async def _flush_one(tx: Tx, event: Pending) -> None:
    await tx.connection.execute(
        _ONE,
        tx.tenant,
        event.aggregate,
        event.aggregate_id,
        _steps(event),
        new_id(),
        event.payload.TYPE,
        slot_of(tx.tenant, event.aggregate_id),
        public_id(event.payload.ID_PREFIX, event.aggregate_id),
        *_trace(),
        _data(event),
    )


async def _flush_many(tx: Tx, pending: Sequence[Pending]) -> None:
    data = [_data(event) for event in pending]
    steps: Counter[tuple[str, UUID]] = Counter()
    for event in pending:
        steps[event.aggregate, event.aggregate_id] += _steps(event)
    bumped = await tx.connection.fetch(
        _BUMP,
        tx.tenant,
        [aggregate for aggregate, _ in steps],
        [aggregate_id for _, aggregate_id in steps],
        list(steps.values()),
    )
    epochs: dict[tuple[str, UUID], int] = {}
    last: dict[tuple[str, UUID], int] = {}
    for row in bumped:
        key = (row["aggregate"], row["aggregate_id"])
        epochs[key] = row["epoch"]
        last[key] = row["seq"] - steps[key]
    sequences: list[int] = []
    for event in pending:
        key = (event.aggregate, event.aggregate_id)
        last[key] += _steps(event)
        sequences.append(last[key])
    await tx.connection.execute(
        _MANY,
        tx.tenant,
        [new_id() for _ in pending],
        [event.aggregate for event in pending],
        [event.aggregate_id for event in pending],
        [epochs[event.aggregate, event.aggregate_id] for event in pending],
        sequences,
        [event.payload.TYPE for event in pending],
        [slot_of(tx.tenant, event.aggregate_id) for event in pending],
        [public_id(event.payload.ID_PREFIX, event.aggregate_id) for event in pending],
        *_trace(),
        data,
    )


async def outbox_has_room(database: Database, limit: int = ROOM) -> bool:
    """Whether a bulk writer may go on: at most `limit` rows of all tenants wait to be published."""
    async with database.across() as tx:
        waiting = await tx.connection.fetchval("SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT $1) AS few", limit + 1)
    return waiting <= limit


async def raise_epoch(owner_connection: Any) -> int:
    """Start a new epoch of all sequences, after this database was restored from a backup; gives the epoch's number.

    Consumers have seen events that the restored database doesn't know; in a new epoch the numbering starts again.
    """
    async with owner_connection.transaction():
        await owner_connection.execute("LOCK TABLE event_sequence IN EXCLUSIVE MODE")
        default = await owner_connection.fetchval(
            "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef "
            "JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum "
            "WHERE adrelid = 'event_sequence'::regclass AND attname = 'epoch'"
        )
        epoch = int(str(default).strip("'").partition("'")[0]) + 1
        await owner_connection.execute(f"ALTER TABLE event_sequence ALTER COLUMN epoch SET DEFAULT {epoch}")
        await owner_connection.execute("UPDATE event_sequence SET epoch = $1, seq = 0", epoch)
    return epoch


def _steps(event: Pending) -> int:
    return 0 if event.payload.TYPE.endswith(SNAPSHOT_SUFFIX) else 1


def _trace() -> tuple[str | None, str | None]:
    """`traceparent` and `tracestate` of the work that emits."""
    return current_trace() or (None, None)


def _data(event: Pending) -> str:
    data = event.payload.to_json()
    if len(data) > MAX_EVENT_BYTES or len(data.encode()) > MAX_EVENT_BYTES:
        raise TooLarge(f"An event of type {event.payload.TYPE} would be over {MAX_EVENT_BYTES} bytes.")
    return data
