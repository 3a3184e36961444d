"""The inbox: which events have arrived, and how far each key has come. All set-based, for whole batches at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from crm_shared.db.pool import Database, Tx

_SWEEP_CHUNK = 5_000


class Position(NamedTuple):
    """How far a key has come; the epoch comes before the sequence."""

    epoch: int
    seq: int


UNSEEN = Position(0, 0)


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key's position, and whether its events wait."""

    position: Position = UNSEEN
    parked: bool = False


async def claim(tx: Tx, event_ids: Sequence[UUID]) -> set[UUID]:
    """Note that these events have arrived; gives those that hadn't before.

    Of a tenant whose rows are being purged, or have been, nothing arrives any more.
    """
    rows = await tx.connection.fetch(
        "INSERT INTO inbox (tenant_id, event_id) SELECT $1, e FROM unnest($2::uuid[]) AS e "
        "WHERE NOT EXISTS (SELECT 1 FROM departed WHERE tenant_id = $1 AND begun_at IS NOT NULL) ORDER BY e "
        "ON CONFLICT DO NOTHING RETURNING event_id",
        tx.tenant,
        list(event_ids),
    )
    return {row["event_id"] for row in rows}


async def key_states(tx: Tx, keys: Iterable[str]) -> dict[str, KeyState]:
    """Lock the known ones among these keys, in one order, and tell their states."""
    rows = await tx.connection.fetch(
        "SELECT key, epoch, seq, parked_at IS NOT NULL AS parked FROM consumer_key "
        "WHERE tenant_id = $1 AND key = ANY($2::text[]) ORDER BY key FOR UPDATE",
        tx.tenant,
        list(keys),
    )
    return {row["key"]: KeyState(Position(row["epoch"], row["seq"]), row["parked"]) for row in rows}


async def advance(tx: Tx, positions: Mapping[str, Position]) -> None:
    """Set how far keys have come."""
    if positions:
        await tx.connection.execute(
            "INSERT INTO consumer_key AS k (tenant_id, key, epoch, seq) "
            "SELECT $1, u.* FROM unnest($2::text[], $3::int[], $4::bigint[]) AS u(key, epoch, seq) "
            'ORDER BY u.key COLLATE "C" '
            "ON CONFLICT (tenant_id, key) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
            tx.tenant,
            list(positions),
            [position.epoch for position in positions.values()],
            [position.seq for position in positions.values()],
        )


async def erased_among(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Those of these aggregates that have been erased for good."""
    wanted = list(ids)
    if not wanted:
        return set()
    rows = await tx.connection.fetch(
        "SELECT aggregate_id FROM erased WHERE tenant_id = $1 AND aggregate_id = ANY($2::uuid[])", tx.tenant, wanted
    )
    return {row["aggregate_id"] for row in rows}


async def mark_erased(tx: Tx, aggregate_id: UUID, *, now: datetime) -> None:
    """Remember that an aggregate is gone, so that no late event brings it back."""
    await tx.connection.execute(
        "INSERT INTO erased (tenant_id, aggregate_id, erased_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tx.tenant,
        aggregate_id,
        now,
    )


async def sweep_inbox(database: Database, *, before: datetime) -> int:
    """Forget events that arrived before a time well past the topics' retention; says how many."""
    removed = 0
    while True:
        async with database.across() as tx:
            status = await tx.connection.execute(
                "DELETE FROM inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM inbox WHERE received_at < $1 LIMIT $2))",
                before,
                _SWEEP_CHUNK,
            )
        count = int(status.rsplit(" ", 1)[-1])
        removed += count
        if count < _SWEEP_CHUNK:
            return removed
