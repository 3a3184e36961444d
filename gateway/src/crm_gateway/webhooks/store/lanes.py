"""SQL of lanes: who has something to send, and who sends."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, bindparam, case, delete, func, insert, or_, select, update

from crm_gateway.subscriptions.tables import event_head
from crm_gateway.webhooks.domain.endpoints import Health
from crm_gateway.webhooks.domain.lanes import Lane, Replay
from crm_gateway.webhooks.tables import webhook_lane
from crm_shared.db.pool import Database, Record, Tx

w, h = webhook_lane.c, event_head.c

_now = bindparam("now", type_=w.next_at.type)
_behind = func.coalesce(h.latest > w.position, False)
_waits_since = func.least(
    case((w.next_at <= _now, w.next_at)), case((_behind, h.latest_at)), case((w.replay_to.is_not(None), w.served_at))
)
_WITH_WORK = (
    select(w.tenant_id, w.endpoint_id, _waits_since.label("since"))
    .join_from(webhook_lane, event_head, h.tenant_id == w.tenant_id, isouter=True)
    .where(
        or_(w.held_until.is_(None), w.held_until <= _now),
        or_(w.rests_until.is_(None), w.rests_until <= _now),
        or_(w.next_at <= _now, w.replay_to.is_not(None), and_(h.latest.is_not(None), _behind)),
    )
    # Who was served longest ago is first, however much others have waiting.
    .order_by(w.served_at.asc().nulls_first())
    .limit(bindparam("n"))
)
_GET = select(webhook_lane).where(w.endpoint_id == bindparam("id"))
_TAKE = _GET.with_for_update(skip_locked=True)
_SAVE = (
    update(webhook_lane)
    .where(w.endpoint_id == bindparam("id"))
    .values(
        position=bindparam("position"),
        replay_from=bindparam("replay_from"),
        replay_to=bindparam("replay_to"),
        replay_types=bindparam("replay_types"),
        next_at=bindparam("next_at"),
        rests_until=bindparam("rests_until"),
        failing_since=bindparam("failing_since"),
        failed_waves=bindparam("failed_waves"),
        holder=bindparam("holder"),
        held_until=bindparam("held_until"),
        served_at=bindparam("served_at"),
    )
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An endpoint that there is something to send to; `since` when, as far as that is known."""

    tenant: UUID
    endpoint_id: UUID
    since: datetime | None


async def with_work(database: Database, *, limit: int, now: datetime) -> list[Waiting]:
    """Endpoints of all tenants that wait for a worker, the one served longest ago first."""
    async with database.across() as tx:
        return [Waiting(*row) for row in await tx.all(_WITH_WORK, {"now": now, "n": limit})]


async def open_lane(tx: Tx, endpoint_id: UUID, position: int) -> None:
    """Begin to send what comes after this position."""
    await tx.run(insert(webhook_lane).values(tenant_id=tx.tenant, endpoint_id=endpoint_id, position=position))


async def close_lane(tx: Tx, endpoint_id: UUID) -> None:
    """Send nothing any more."""
    await tx.run(delete(webhook_lane).where(w.endpoint_id == endpoint_id))


async def get_lane(tx: Tx, endpoint_id: UUID) -> Lane | None:
    """An enabled endpoint's lane."""
    row = await tx.one(_GET, {"id": endpoint_id})
    return _lane(row) if row else None


async def lanes_of(tx: Tx) -> dict[UUID, Lane]:
    """The tenant's lanes by endpoint."""
    return {row["endpoint_id"]: _lane(row) for row in await tx.all(select(webhook_lane))}


async def take_lane(tx: Tx, endpoint_id: UUID, holder: UUID, *, now: datetime) -> Lane | None:
    """The lane, locked until the commit, if this worker may serve it; whoever is before us is not waited for."""
    row = await tx.one(_TAKE, {"id": endpoint_id})
    lane = _lane(row) if row else None
    return lane if lane is not None and lane.is_free_for(holder, now) else None


async def save_lane(tx: Tx, lane: Lane, *, now: datetime) -> None:
    """Write a lane down, served now."""
    await tx.run(
        _SAVE,
        {
            "id": lane.endpoint_id,
            "position": lane.position,
            "replay_from": lane.replay.after if lane.replay else None,
            "replay_to": lane.replay.up_to if lane.replay else None,
            "replay_types": list(lane.replay.types) if lane.replay else None,
            "next_at": lane.next_at,
            "rests_until": lane.health.rests_until,
            "failing_since": lane.health.failing_since,
            "failed_waves": lane.health.failed_waves,
            "holder": lane.holder,
            "held_until": lane.held_until,
            "served_at": now,
        },
    )


async def begin_replay(tx: Tx, endpoint_id: UUID, replay: Replay) -> None:
    """Have these events sent once more."""
    await tx.run(
        update(webhook_lane)
        .where(w.endpoint_id == endpoint_id)
        .values(replay_from=replay.after, replay_to=replay.up_to, replay_types=list(replay.types), rests_until=None)
    )


async def hurry(tx: Tx, endpoint_id: UUID, *, now: datetime) -> None:
    """Something is to be sent at once, even if the endpoint rests."""
    await tx.run(update(webhook_lane).where(w.endpoint_id == endpoint_id).values(next_at=now, rests_until=None))


async def rest(tx: Tx, endpoint_id: UUID, until: datetime) -> None:
    """Leave an endpoint alone until then, and to whoever comes first."""
    await tx.run(
        update(webhook_lane).where(w.endpoint_id == endpoint_id).values(rests_until=until, holder=None, held_until=None)
    )


def _lane(row: Record) -> Lane:
    replay = None
    if row["replay_to"] is not None:
        replay = Replay(row["replay_from"], row["replay_to"], tuple(row["replay_types"] or ()))
    return Lane(
        endpoint_id=row["endpoint_id"],
        position=row["position"],
        replay=replay,
        next_at=row["next_at"],
        health=Health(row["failing_since"], row["failed_waves"], row["rests_until"]),
        holder=row["holder"],
        held_until=row["held_until"],
    )
