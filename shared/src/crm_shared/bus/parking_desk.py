"""What an operator sees of events that wait, and does about them: one tenant's, in a transaction of that tenant.

Two kinds wait. An incoming key waits in the service that consumes it, because an event can't be applied or is missing;
its name is `<aggregate>:<uuid>`, or `<topic>:<partition>:<offset>` for a message that is no event and so is nobody's.
An outgoing key, `outbox:<aggregate>:<uuid>`, waits in the service that owns it, because the bus takes no such message.
What an operator allows is carried out by the worker: its handlers, its relay.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_shared.bus.sequencing import SNAPSHOT, Verdict, judge
from crm_shared.db import inbox, parking
from crm_shared.db.inbox import Position
from crm_shared.db.parking import ParkedEvent
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound

OUTBOX = "outbox:"
WITHHELD = "withheld"
"""What happened to an aggregate whose event was given up before it was sent: the number is used, nothing is said."""

# The relay forgets `parked_at` whenever it gives a row another chance; `park_reason` stays until the row is sent.
_WAITING = """
SELECT * FROM (
    SELECT key, reason, error, attempts, epoch, seq, parked_at AS since, next_at,
           (SELECT count(*) FROM parked p WHERE p.tenant_id = k.tenant_id AND p.key = k.key) AS events
    FROM consumer_key k WHERE tenant_id = $1 AND parked_at IS NOT NULL
    UNION ALL
    SELECT 'outbox:' || aggregate || ':' || aggregate_id, 'unsendable', max(park_reason), NULL, min(epoch), min(seq),
           min(created_at), NULL, count(*)
    FROM outbox WHERE tenant_id = $1 AND (aggregate, aggregate_id) IN (
        SELECT b.aggregate, b.aggregate_id FROM outbox b WHERE b.tenant_id = $1 AND b.park_reason IS NOT NULL)
    GROUP BY aggregate, aggregate_id
) waiting
"""
_OUT_MESSAGES = """
SELECT epoch, seq, event_id, type, 'crm.' || aggregate AS topic, NULL::smallint AS part, NULL::bigint AS off,
       convert_to(data, 'UTF8') AS raw, created_at AS arrived_at
FROM outbox WHERE tenant_id = $1 AND 'outbox:' || aggregate || ':' || aggregate_id = $2
AND ($3::int IS NULL OR (epoch, seq, event_id) > ($3, $4::bigint, $5::uuid)) ORDER BY epoch, seq, event_id LIMIT $6
"""
_IN_MESSAGES = """
SELECT epoch, seq, event_id, type, topic, part, off, raw, arrived_at
FROM parked WHERE tenant_id = $1 AND key = $2
AND ($3::int IS NULL OR (epoch, seq, event_id) > ($3, $4::bigint, $5::uuid)) ORDER BY epoch, seq, event_id LIMIT $6
"""


@dataclass(frozen=True, slots=True)
class WaitingKey:
    """A key that can't go on. An incoming one has come as far as its position; an outgoing one is stuck at it."""

    key: str
    reason: str
    error: str | None
    attempts: int | None
    position: Position
    since: datetime
    next_at: datetime | None
    events: int

    @property
    def is_outgoing(self) -> bool:
        return self.key.startswith(OUTBOX)


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """One message of a waiting key, as it came or as it would go; partition and offset only once it was on the bus."""

    position: Position
    event_id: UUID
    type: str
    topic: str
    partition: int | None
    offset: int | None
    raw: bytes
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did to a waiting key, and why; kept for good."""

    id: UUID
    key: str
    action: str
    position: Position
    actor: str
    reason: str
    at: datetime


async def list_waiting(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[WaitingKey]:
    """Keys that wait, the longest waiting first."""
    since, key = after or (None, None)
    rows = await tx.connection.fetch(
        f"{_WAITING} WHERE $2::timestamptz IS NULL OR (since, key) > ($2, $3::text) ORDER BY since, key LIMIT $4",
        tx.tenant, since, key, limit,
    )  # fmt: skip
    return [_waiting(row) for row in rows]


async def get_waiting(tx: Tx, key: str) -> WaitingKey | None:
    """One key, if it waits."""
    row = await tx.connection.fetchrow(f"{_WAITING} WHERE key = $2", tx.tenant, key)
    return _waiting(row) if row else None


async def list_messages(tx: Tx, key: str, *, limit: int, after: tuple[Any, ...] | None) -> list[WaitingMessage]:
    """A key's waiting messages in their order."""
    statement = _OUT_MESSAGES if key.startswith(OUTBOX) else _IN_MESSAGES
    rows = await tx.connection.fetch(statement, tx.tenant, key, *(after or (None, None, None)), limit)
    return [
        WaitingMessage(
            Position(row["epoch"], row["seq"]), row["event_id"], row["type"], row["topic"], row["part"], row["off"],
            row["raw"], row["arrived_at"],
        )
        for row in rows
    ]  # fmt: skip


async def list_acts(tx: Tx, *, key: str | None, limit: int, after: tuple[Any, ...] | None) -> list[Act]:
    """What was done to keys (or to this one), the latest first."""
    (before,) = after or (None,)
    rows = await tx.connection.fetch(
        "SELECT id, key, action, epoch, seq, actor, reason, at FROM parking_audit WHERE tenant_id = $1 "
        "AND ($2::text IS NULL OR key = $2) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        tx.tenant, key, before, limit,
    )  # fmt: skip
    return [_act(row) for row in rows]


async def retry(tx: Tx, key: str, *, actor: str, reason: str, now: datetime) -> WaitingKey:
    """Have a key tried at once instead of when its time has come.

    Raises:
        NotFound: nothing waits under this key.
    """
    at = await _locked(tx, key)
    await _let_go(tx, key, now=now)
    await parking.note(tx, key, "retry", at=at, by=(actor, reason), now=now)
    tx.after_commit.append(lambda: None)
    waiting = await get_waiting(tx, key)
    assert waiting is not None
    return waiting


async def skip(tx: Tx, key: str, *, actor: str, reason: str, now: datetime) -> Act:
    """Give up what holds a key back, so that what is behind it goes on.

    An incoming event that fails is dropped, and so are those that never came; the sequence advances past them. An
    outgoing event's number is used up by an empty one, or every consumer would wait for it.

    Raises:
        NotFound: nothing waits under this key.
    """
    at = await _locked(tx, key)
    skipped = await (_withhold(tx, key) if key.startswith(OUTBOX) else skip_first(tx, key, at))
    await _let_go(tx, key, now=now)
    await parking.note(tx, key, "skip", at=skipped, by=(actor, reason), now=now)
    tx.after_commit.append(lambda: None)
    return (await list_acts(tx, key=key, limit=1, after=None))[0]


async def skip_first(tx: Tx, key: str, at: Position) -> Position:
    """Advance a locked key past the event that fails or those that are missing; gives how far."""
    first = await parking.first_parked(tx, key)
    if first is None:
        return at
    if not first.type:  # no event: nothing is behind it, and it has no place in any sequence
        await parking.drop_event(tx, first)
        await parking.forget_key(tx, key)
        return first.position
    return await _advance_past(tx, first, at)


async def _advance_past(tx: Tx, first: ParkedEvent, at: Position) -> Position:
    if judge(at, first.position, first.type) is Verdict.TOO_EARLY:
        missing = Position(first.position.epoch, first.position.seq - 1)
        await inbox.advance(tx, {first.key: missing})
        return missing
    await parking.drop_event(tx, first)
    if first.position > at:
        await inbox.advance(tx, {first.key: first.position})
    return first.position


async def _withhold(tx: Tx, key: str) -> Position:
    """Empty the first event that could not be sent. A snapshot repeats a number, so it can simply go."""
    aggregate, aggregate_id = _outgoing(key)
    row = await tx.connection.fetchrow(
        "SELECT id, epoch, seq, type FROM outbox WHERE tenant_id = $1 AND aggregate = $2 AND aggregate_id = $3 "
        "AND park_reason IS NOT NULL ORDER BY id LIMIT 1 FOR UPDATE",
        tx.tenant, aggregate, aggregate_id,
    )  # fmt: skip
    if row is None:
        raise NotFound.of("parked key", key)
    if row["type"].endswith(SNAPSHOT):
        await tx.connection.execute("DELETE FROM outbox WHERE tenant_id = $1 AND id = $2", tx.tenant, row["id"])
    else:
        await tx.connection.execute(
            "UPDATE outbox SET type = $3, data = '{}', parked_at = NULL, park_reason = NULL "
            "WHERE tenant_id = $1 AND id = $2",
            tx.tenant, row["id"], f"crm.{aggregate}.{WITHHELD}.v1",
        )  # fmt: skip
    return Position(row["epoch"], row["seq"])


async def _locked(tx: Tx, key: str) -> Position:
    """Lock what waits under this key; whoever works on it just now is waited for."""
    if key.startswith(OUTBOX):
        aggregate, aggregate_id = _outgoing(key)
        row = await tx.connection.fetchrow(
            "SELECT epoch, seq FROM outbox WHERE tenant_id = $1 AND aggregate = $2 AND aggregate_id = $3 "
            "AND park_reason IS NOT NULL ORDER BY id LIMIT 1 FOR UPDATE",
            tx.tenant, aggregate, aggregate_id,
        )  # fmt: skip
    else:
        row = await tx.connection.fetchrow(
            "SELECT epoch, seq FROM consumer_key WHERE tenant_id = $1 AND key = $2 AND parked_at IS NOT NULL "
            "FOR UPDATE",
            tx.tenant, key,
        )  # fmt: skip
    if row is None:
        raise NotFound.of("parked key", key)
    return Position(row["epoch"], row["seq"])


async def _let_go(tx: Tx, key: str, *, now: datetime) -> None:
    """Have the worker look at a key at once."""
    if key.startswith(OUTBOX):
        await tx.connection.execute(
            "UPDATE outbox SET parked_at = NULL WHERE tenant_id = $1 AND aggregate = $2 AND aggregate_id = $3",
            tx.tenant, *_outgoing(key),
        )  # fmt: skip
    else:
        await tx.connection.execute(
            "UPDATE consumer_key SET next_at = $3 WHERE tenant_id = $1 AND key = $2 AND parked_at IS NOT NULL",
            tx.tenant, key, now,
        )  # fmt: skip


def _outgoing(key: str) -> tuple[str, UUID]:
    aggregate, _, aggregate_id = key.removeprefix(OUTBOX).rpartition(":")
    try:
        return aggregate, UUID(aggregate_id)
    except ValueError:
        raise NotFound.of("parked key", key) from None


def _waiting(row: Any) -> WaitingKey:
    return WaitingKey(
        row["key"], row["reason"], row["error"], row["attempts"], Position(row["epoch"], row["seq"]), row["since"],
        row["next_at"], row["events"],
    )  # fmt: skip


def _act(row: Any) -> Act:
    return Act(
        row["id"], row["key"], row["action"], Position(row["epoch"], row["seq"]), row["actor"], row["reason"], row["at"]
    )
