"""One turn of serving an endpoint: write down what came of the last wave, and choose the next.

No transaction is open while the network is used. What is about to be sent is written down first; so a worker that dies
leaves deliveries that are due, and whoever takes over sends them again, under the same id.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from crm_gateway.subscriptions import store as events
from crm_gateway.subscriptions.domain import Head, KeptEvent
from crm_gateway.webhooks import metrics
from crm_gateway.webhooks.authority import Denied, Granted, granted
from crm_gateway.webhooks.commands.endpoints import disable
from crm_gateway.webhooks.domain.deliveries import Answered, Attempt, Delivery, Reason, Settled, State, settle
from crm_gateway.webhooks.domain.endpoints import Disabled, Endpoint, Health, has_failed_for, health_after
from crm_gateway.webhooks.domain.lanes import Lane
from crm_gateway.webhooks.domain.retries import wished_pause
from crm_gateway.webhooks.store import deliveries, endpoints, lanes
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

_SCANNED = 2_000
"""Kept events looked through in one turn; most concern somebody else."""
_CLOSED_REST = timedelta(minutes=1)
_DENIALS = {Denied.OWNER_GONE: Disabled.OWNER_GONE, Denied.NOT_ALLOWED: Disabled.OWNER_NOT_ALLOWED}


@dataclass(frozen=True, slots=True)
class Terms:
    """How a worker serves: who it is, how much it takes at a time, and when it loses patience."""

    holder: UUID
    size: int
    lease: timedelta
    disable_after: timedelta


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event to be sent. `kept_at` is given for one that has never been tried."""

    delivery: Delivery
    text: str
    kept_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wave:
    """What is sent to an endpoint at once. An empty one means that there may be more to look through."""

    endpoint: Endpoint
    seals: Sequence[bytes]
    outgoing: Sequence[Outgoing]


@dataclass(frozen=True, slots=True)
class Done:
    """One event that was sent, and what came of it."""

    outgoing: Outgoing
    at: datetime
    answered: Answered


async def turn(
    tx: Tx, endpoint_id: UUID, terms: Terms, done: Sequence[Done], *, last: bool, now: datetime
) -> Wave | None:
    """Write down a wave and choose the next one; None when there is none, or it isn't this worker's to send.

    `last` leaves the endpoint to others.
    """
    endpoint = await endpoints.get_endpoint(tx, endpoint_id, lock=True)
    if endpoint is None:
        return None
    await _write_down(tx, done, now=now)
    lane = await lanes.take_lane(tx, endpoint_id, terms.holder, now=now)
    if lane is None:
        return None
    if done:
        lane = replace(lane, health=_health(lane, done, now=now))
    grant = await granted(tx, endpoint, now=now)
    over = _end(lane, done, grant, terms, now=now)
    if over is not None:
        await disable(tx, Viewer.system(tx.tenant), endpoint, over, now=now)
        return None
    outgoing: list[Outgoing] = []
    more = False
    if isinstance(grant, Denied):
        lane = replace(lane, health=replace(lane.health, rests_until=now + _CLOSED_REST))
    elif not last and not lane.rests(now):
        lane, outgoing, more = await _choose(tx, endpoint, lane, grant, terms.size, now=now)
    goes_on = bool(outgoing) or more
    lane = replace(
        lane,
        next_at=await deliveries.next_due(tx, endpoint_id),
        holder=terms.holder if goes_on else None,
        held_until=now + terms.lease if goes_on else None,
    )
    await lanes.save_lane(tx, lane, now=now)
    seals = await endpoints.seals_of(tx, endpoint_id) if outgoing else None
    return Wave(endpoint, seals.holding(now) if seals else (), outgoing) if goes_on else None


async def _write_down(tx: Tx, done: Sequence[Done], *, now: datetime) -> None:
    """Also where another worker has taken the endpoint over meanwhile: what was sent was sent."""
    if not done:
        return
    still = await deliveries.locked(tx, [one.outgoing.delivery.id for one in done])
    settled: dict[UUID, Settled] = {}
    attempts: dict[UUID, Attempt] = {}
    for one in done:
        delivery = still.get(one.outgoing.delivery.id)
        if delivery is None:
            continue
        answered = one.answered
        chance = random.random()  # noqa: S311 # spreads retries, guards nothing
        attempts[delivery.id] = Attempt(
            delivery.attempts + 1, one.at, answered.status, answered.error, answered.duration_ms, answered.told
        )
        what = settle(delivery.failures, answered, now=now, chance=chance)
        if delivery.state is State.DROPPED and not answered.succeeded:  # given up while it was under way
            what = Settled(State.DROPPED, Reason.WEBHOOK_DISABLED, what.failures, None)
        settled[delivery.id] = what
        metrics.DELIVERIES.labels("retried" if what.state is State.PENDING else what.state.value).inc()
    await deliveries.settle(tx, settled, attempts, now=now)


def _health(lane: Lane, done: Sequence[Done], *, now: datetime) -> Health:
    return health_after(
        lane.health,
        succeeded=any(one.answered.succeeded for one in done),
        fresh_failed=any(one.outgoing.kept_at is not None for one in done),
        pause=max((_pause(one.answered, now) for one in done), default=timedelta()),
        now=now,
    )


def _end(lane: Lane, done: Sequence[Done], grant: Granted | Denied, terms: Terms, *, now: datetime) -> Disabled | None:
    if any(one.answered.gone for one in done):
        return Disabled.GONE
    if done and has_failed_for(lane.health, terms.disable_after, now):
        return Disabled.FAILING
    return _DENIALS.get(grant) if isinstance(grant, Denied) else None


async def _choose(
    tx: Tx, endpoint: Endpoint, lane: Lane, grant: Granted, size: int, *, now: datetime
) -> tuple[Lane, list[Outgoing], bool]:
    """The next wave, where the lane stands after it, and whether there may be more."""
    head = await events.head(tx)
    repeats = await _repeats(tx, endpoint, grant, head, size, now=now)
    # Repeats never take all the room: one event that fails for ever holds up none of those after it.
    room = size - min(len(repeats), size // 2)
    lane, fresh = await _look_on(tx, endpoint, lane, grant, head.latest, room)
    lane, again = await _look_back(tx, endpoint, lane, grant, room - len(fresh))
    begun = await deliveries.begin(tx, endpoint.id, [*fresh, *again], now=now)
    kept = {event.event_id: event for event in (*fresh, *again)}
    new = {
        one.id: Outgoing(one, kept[one.event_id].text, kept[one.event_id].kept_at)
        for one in sorted(begun, key=lambda one: one.position or 0)
    }
    old = [one for one in repeats if one.delivery.id not in new][: size - len(new)]
    more = lane.position < head.latest or lane.replay is not None
    return lane, [*new.values(), *old], more


async def _repeats(
    tx: Tx, endpoint: Endpoint, grant: Granted, head: Head, size: int, *, now: datetime
) -> list[Outgoing]:
    """What is due once more. What may not be sent any more, or is gone, is given up."""
    found: list[Outgoing] = []
    dropped: dict[UUID, Settled] = {}
    for delivery, text in await deliveries.due(tx, endpoint.id, limit=size, now=now):
        reason = None
        if delivery.type not in grant.types:
            reason = Reason.NOT_ALLOWED
        elif text is None:
            is_old = delivery.position is not None and delivery.position <= head.pruned_to
            reason = Reason.EVENT_TOO_OLD if is_old else Reason.EVENT_ERASED
        if reason is None and text is not None:
            found.append(Outgoing(delivery, text, None))
        else:
            dropped[delivery.id] = Settled(State.DROPPED, reason, delivery.failures, None)
    if dropped:
        await deliveries.settle(tx, dropped, {}, now=now)
        metrics.DELIVERIES.labels("dropped").inc(len(dropped))
    return found


async def _look_on(
    tx: Tx, endpoint: Endpoint, lane: Lane, grant: Granted, latest: int, room: int
) -> tuple[Lane, list[KeptEvent]]:
    """The next events that were never tried."""
    up_to = min(latest, lane.position + _SCANNED)
    if lane.position >= up_to:
        return lane, []
    found = await events.read_after(
        tx, lane.position, limit=room, types=grant.types, subject=endpoint.subject, up_to=up_to
    )
    return replace(lane, position=found[-1].position if len(found) == room else up_to), found


async def _look_back(tx: Tx, endpoint: Endpoint, lane: Lane, grant: Granted, room: int) -> tuple[Lane, list[KeptEvent]]:
    """The next events that are sent once more because somebody asked for it."""
    replay = lane.replay
    if replay is None or room <= 0:
        return lane, []
    up_to = min(replay.up_to, replay.after + _SCANNED)
    types = grant.types & frozenset(replay.types) if replay.types else grant.types
    found = await events.read_after(tx, replay.after, limit=room, types=types, subject=endpoint.subject, up_to=up_to)
    after = found[-1].position if len(found) == room else up_to
    return replace(lane, replay=replace(replay, after=after) if after < replay.up_to else None), found


def _pause(answered: Answered, now: datetime) -> timedelta:
    return timedelta() if answered.succeeded else wished_pause(answered.retry_after, now=now)
