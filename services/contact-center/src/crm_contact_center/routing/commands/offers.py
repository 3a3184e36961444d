"""Decisions become offers: a batch of matches, each written only if both sides are still as the index saw them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_contact_center.agents import store as agent_store
from crm_contact_center.interactions import commands as interactions
from crm_contact_center.interactions import store as interaction_store
from crm_contact_center.interactions.events import InteractionOffered
from crm_contact_center.routing.commands.cards import cards
from crm_contact_center.routing.commands.expiry import EXPIRY
from crm_contact_center.routing.domain.matching import Match
from crm_contact_center.routing.domain.queues import Queue, Reservation, ReservationState, Visit, VisitState
from crm_contact_center.routing.store import reservations, shards, visits
from crm_shared.db.due import schedule_many
from crm_shared.db.pool import Tx
from crm_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of a batch: the offers made, and whom the index has to be told about again."""

    made: int
    stale_visits: frozenset[UUID]
    stale_agents: frozenset[UUID]


async def offer(tx: Tx, matches: Sequence[Match], queues: Mapping[UUID, Queue], *, now: datetime) -> Offered:
    """Write the offers of a batch. The caller holds the shard's lease; the rows locked here are the truth."""
    waiting = await visits.lock_many(tx, [match.contact.id for match in matches])
    rooms = await agent_store.lock_rooms(tx, {match.agent.id for match in matches})
    good = _still_true(matches, waiting, rooms)
    kept = {match.contact.id for match in good}
    stale = [match for match in matches if match.contact.id not in kept]
    if good:
        await _write(tx, good, waiting, queues, now=now)
    return Offered(
        made=len(good),
        stale_visits=frozenset(match.contact.id for match in stale),
        stale_agents=frozenset(match.agent.id for match in stale),
    )


def _still_true(matches: Sequence[Match], waiting: Mapping[UUID, Visit], rooms: Mapping[UUID, int]) -> list[Match]:
    """The matches whose visit still waits unchanged and whose agent is still open and has the room."""
    taken: dict[UUID, int] = defaultdict(int)
    good: list[Match] = []
    for match in matches:
        visit, agent_id = waiting.get(match.contact.id), match.agent.id
        if visit is None or visit.state is not VisitState.WAITING or visit.version != match.contact.version:
            continue
        if taken[agent_id] + match.cost > rooms.get(agent_id, 0):
            continue
        taken[agent_id] += match.cost
        good.append(match)
    return good


async def _write(
    tx: Tx, good: Sequence[Match], waiting: Mapping[UUID, Visit], queues: Mapping[UUID, Queue], *, now: datetime
) -> None:
    units: dict[UUID, int] = defaultdict(int)
    for match in good:
        units[match.agent.id] += match.cost
    moved = await visits.mark_offered(tx, [match.contact.id for match in good])
    took = await shards.take_capacity(tx, units, now)
    if moved != len(good) or took != len(units):
        raise RuntimeError("locked rows have changed: the offers would not be true")  # rolled back, index rebuilt
    calls = await interaction_store.get_many(tx, {waiting[match.contact.id].interaction_id for match in good})
    shown = await cards(tx, calls.values())
    made = [
        _reservation(match, visit, queues[visit.queue_id], shown[visit.interaction_id], now)
        for match, visit in ((match, waiting[match.contact.id]) for match in good)
    ]
    await reservations.insert_many(tx, made)
    ends = {one.expires_at for one in made}
    await schedule_many(tx, EXPIRY, [(str(new_id()), expires_at, {}) for expires_at in ends])
    for one in made:
        call = calls[one.interaction_id]
        interactions.emit(tx, InteractionOffered, call, now, queue=one.queue_id, agent=one.agent_id)


def _reservation(match: Match, visit: Visit, queue: Queue, card: dict[str, Any], now: datetime) -> Reservation:
    return Reservation(
        id=new_id(),
        visit_id=visit.id,
        interaction_id=visit.interaction_id,
        agent_id=match.agent.id,
        queue_id=visit.queue_id,
        channel=visit.channel,
        cost=match.cost,
        state=ReservationState.PENDING,
        created_at=now,
        expires_at=now + timedelta(seconds=queue.offer_timeout_s),
        accepted_at=None,
        ended_at=None,
        closed_at=None,
        hold_s=0,
        wrap_up_s=queue.wrap_up_s,
        reason=None,
        card=card,
        version=1,
    )
