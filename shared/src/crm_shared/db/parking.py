"""Parking: a key whose next event can't be applied waits here with its followers, in order, raw bytes kept.

The key's state is in `consumer_key` (why, since when, how often tried, when to try again), its events are in `parked`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_shared.db.inbox import Position
from crm_shared.db.pool import Database, Tx
from crm_shared.ids import new_id

FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(hours=1)
_LOCK_WAITING = (
    "SELECT epoch, seq FROM consumer_key WHERE tenant_id = $1 AND key = $2 AND parked_at IS NOT NULL FOR UPDATE"
)
_LOCK_UNLESS_LOCKED = f"{_LOCK_WAITING} SKIP LOCKED"
_ERROR_LENGTH = 2_000

GAP = "gap"
WAITS_FOR_SNAPSHOT = "waits for its snapshot"
FAILED = "failed"
UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """One waiting message, as it came."""

    key: str
    position: Position
    event_id: UUID
    type: str
    topic: str
    partition: int
    offset: int
    raw: bytes
    headers: str


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many failures: 5 seconds, doubling, an hour at most."""
    return min(FIRST_RETRY * 2 ** min(attempts, 20), LONGEST_RETRY)


async def park_events(tx: Tx, events: Sequence[ParkedEvent]) -> None:
    """Put messages behind their keys; one that is there already stays as it is."""
    if events:
        await tx.connection.execute(
            "INSERT INTO parked (tenant_id, key, epoch, seq, event_id, type, topic, part, off, raw, headers) "
            "SELECT $1, u.* FROM unnest($2::text[], $3::int[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], "
            "$8::smallint[], $9::bigint[], $10::bytea[], $11::text[]) AS u ON CONFLICT DO NOTHING",
            tx.tenant,
            [event.key for event in events],
            [event.position.epoch for event in events],
            [event.position.seq for event in events],
            [event.event_id for event in events],
            [event.type for event in events],
            [event.topic for event in events],
            [event.partition for event in events],
            [event.offset for event in events],
            [event.raw for event in events],
            [event.headers for event in events],
        )


async def park_keys(tx: Tx, reasons: Mapping[str, str], *, now: datetime, error: str | None = None) -> None:
    """Have keys wait; their positions stay what they are."""
    if reasons:
        await tx.connection.execute(
            "INSERT INTO consumer_key AS k (tenant_id, key, epoch, seq, parked_at, reason, error, next_at) "
            "SELECT $1, u.key, 0, 0, $4, u.reason, $5, $6 FROM unnest($2::text[], $3::text[]) AS u(key, reason) "
            'ORDER BY u.key COLLATE "C" ON CONFLICT (tenant_id, key) DO UPDATE SET parked_at = excluded.parked_at, '
            "reason = excluded.reason, error = excluded.error, attempts = 0, next_at = excluded.next_at "
            "WHERE k.parked_at IS NULL",
            tx.tenant,
            list(reasons),
            list(reasons.values()),
            now,
            _storable(error),
            now + FIRST_RETRY,
        )


async def lock_parked_key(tx: Tx, key: str, *, wait: bool = False) -> Position | None:
    """Lock a parked key, unless it waits no more or, without `wait`, somebody works on it.

    What heals a key must wait: a follower that is being put behind it holds the lock for a moment, and nobody would
    come back before the key's next try, an hour later perhaps.
    """
    row = await tx.connection.fetchrow(_LOCK_WAITING if wait else _LOCK_UNLESS_LOCKED, tx.tenant, key)
    return Position(row["epoch"], row["seq"]) if row is not None else None


async def first_parked(tx: Tx, key: str) -> ParkedEvent | None:
    """The first of a key's waiting messages."""
    row = await tx.connection.fetchrow(
        "SELECT key, epoch, seq, event_id, type, topic, part, off, raw, headers FROM parked "
        "WHERE tenant_id = $1 AND key = $2 ORDER BY epoch, seq, event_id LIMIT 1",
        tx.tenant,
        key,
    )
    return _event(row) if row is not None else None


async def latest_of_types(tx: Tx, key: str, suffixes: Sequence[str]) -> ParkedEvent | None:
    """The furthest waiting message whose type has one of these endings."""
    row = await tx.connection.fetchrow(
        "SELECT key, epoch, seq, event_id, type, topic, part, off, raw, headers FROM parked "
        "WHERE tenant_id = $1 AND key = $2 AND type LIKE ANY($3::text[]) "
        "ORDER BY epoch DESC, seq DESC, event_id DESC LIMIT 1",
        tx.tenant,
        key,
        [f"%{suffix}" for suffix in suffixes],
    )
    return _event(row) if row is not None else None


async def drop_event(tx: Tx, event: ParkedEvent) -> None:
    """Take one message out: it has been applied or skipped."""
    await tx.connection.execute(
        "DELETE FROM parked WHERE tenant_id = $1 AND key = $2 AND epoch = $3 AND seq = $4 AND event_id = $5",
        tx.tenant,
        event.key,
        event.position.epoch,
        event.position.seq,
        event.event_id,
    )


async def release_key(tx: Tx, key: str) -> None:
    """Let a key go on as all others."""
    await tx.connection.execute(
        "UPDATE consumer_key SET parked_at = NULL, reason = NULL, error = NULL, attempts = 0, next_at = NULL "
        "WHERE tenant_id = $1 AND key = $2",
        tx.tenant,
        key,
    )


async def forget_key(tx: Tx, key: str) -> None:
    """Remove a key that names a message instead of an aggregate."""
    await tx.connection.execute("DELETE FROM consumer_key WHERE tenant_id = $1 AND key = $2", tx.tenant, key)


async def try_later(tx: Tx, key: str, *, now: datetime, reason: str | None = None, error: str | None = None) -> None:
    """Note that a key still can't go on, and why; the next try comes later each time."""
    attempts = await tx.connection.fetchval(
        "SELECT attempts FROM consumer_key WHERE tenant_id = $1 AND key = $2 FOR UPDATE", tx.tenant, key
    )
    await tx.connection.execute(
        "UPDATE consumer_key SET attempts = attempts + 1, next_at = $3, reason = coalesce($4, reason), "
        "error = coalesce($5, error) WHERE tenant_id = $1 AND key = $2",
        tx.tenant,
        key,
        now + backoff(attempts or 0),
        reason,
        _storable(error),
    )


async def due_keys(database: Database, *, now: datetime, limit: int = 100) -> list[tuple[UUID, str]]:
    """Keys of all tenants whose next try is due."""
    async with database.across() as tx:
        rows = await tx.connection.fetch(
            "SELECT tenant_id, key FROM consumer_key WHERE parked_at IS NOT NULL AND next_at <= $1 "
            "ORDER BY next_at LIMIT $2",
            now,
            limit,
        )
    return [(row["tenant_id"], row["key"]) for row in rows]


async def blank_mentions(tx: Tx, public: str) -> int:
    """Empty the waiting messages that name an erased aggregate; they keep their place in the sequence."""
    status = await tx.connection.execute(
        "UPDATE parked SET raw = '', headers = '{}' WHERE tenant_id = $1 AND position($2::bytea IN raw) > 0",
        tx.tenant,
        public.encode(),
    )
    return int(status.rsplit(" ", 1)[-1])


async def note(tx: Tx, key: str, action: str, *, at: Position, by: tuple[str, str], now: datetime) -> None:
    """Write down what an operator did to a key; `by` is who and why."""
    actor, reason = by
    await tx.connection.execute(
        "INSERT INTO parking_audit (tenant_id, id, key, action, epoch, seq, actor, reason, at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tx.tenant, new_id(), key, action, at.epoch, at.seq, actor, reason, now,
    )  # fmt: skip


def _storable(error: str | None) -> str | None:
    """An error's text as PostgreSQL takes it: one that quotes odd input must not keep its key from being parked."""
    if not error:
        return None
    return error[:_ERROR_LENGTH].replace("\x00", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


def _event(row: Any) -> ParkedEvent:
    position = Position(row["epoch"], row["seq"])
    return ParkedEvent(
        row["key"],
        position,
        row["event_id"],
        row["type"],
        row["topic"],
        row["part"],
        row["off"],
        row["raw"],
        row["headers"],
    )
