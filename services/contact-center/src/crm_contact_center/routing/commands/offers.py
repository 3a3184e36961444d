"""Decisions become offers: a batch of matches, each written only if both sides are still as the index saw them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from crm_contact_center.agents import store as agent_store
from crm_contact_center.interactions import commands as interactions
from crm_contact_center.interactions import store as interaction_store
from crm_contact_center.interactions.events import InteractionOffered
from crm_contact_center.routing.commands.cards import cards
from crm_contact_center.routing.commands.expiry import EXPIRY
from crm_contact_center.routing.domain.matching import Match
from crm_contact_center.routing.domain.queues import Offer, Queue, Visit, VisitState
from crm_contact_center.routing.store import reservations, shards, visits
from crm_contact_center.routing.store.shards import OutOfDate
from crm_shared.db.due import schedule_many
from crm_shared.db.pool import Record, Tx
from crm_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of a batch: the offers made, and whom the index has to be told about again."""

    made: int
    stale_visits: frozenset[UUID]
    stale_agents: frozenset[UUID]


async def offer(tx: Tx, matches: Sequence[Match], queues: Mapping[UUID, Queue], *, now: datetime) -> Offered:
    """Write the offers of a batch. The caller holds the shard's lease; the rows are the truth, not the index.

    All are first written at once, on condition that nothing has changed. Only if something has are the rows locked and
    looked at, and those offers written that are still true.
    """
    with suppress(OutOfDate):
        async with shards.attempt(tx):
            taken = await _take(tx, matches, now)
        await _write(tx, matches, taken, queues, now=now)
        return Offered(len(matches), frozenset(), frozenset())
    waiting = await visits.lock_many(tx, [match.contact.id for match in matches])
    rooms = await agent_store.lock_rooms(tx, {match.agent.id for match in matches})
    good = _still_true(matches, waiting, rooms)
    if good:  # locked: if these aren't as seen either, all is rolled back and the index rebuilt
        await _write(tx, good, await _take(tx, good, now), queues, now=now)
    kept = {match.contact.id for match in good}
    stale = [match for match in matches if match.contact.id not in kept]
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


async def _take(tx: Tx, matches: Sequence[Match], now: datetime) -> dict[UUID, Record]:
    """Both sides of each match, on condition that they are as the index saw them; gives the visits' rows.

    Raises:
        OutOfDate: some are not; the others have been written all the same.
    """
    units: dict[UUID, int] = defaultdict(int)
    for match in matches:
        units[match.agent.id] += match.cost
    taken = await visits.mark_offered(tx, {match.contact.id: match.contact.version for match in matches})
    if len(taken) != len(matches) or await shards.take_capacity(tx, units, now) != len(units):
        raise OutOfDate
    return {row["id"]: row for row in taken}


async def _write(
    tx: Tx, good: Sequence[Match], taken: Mapping[UUID, Record], queues: Mapping[UUID, Queue], *, now: datetime
) -> None:
    calls = await interaction_store.get_many(tx, {row["interaction_id"] for row in taken.values()})
    shown = await cards(tx, calls.values())
    ends = {queue_id: now + timedelta(seconds=queue.offer_timeout_s) for queue_id, queue in queues.items()}
    made: list[Offer] = []
    for match in good:
        visit_id, interaction_id, queue_id, channel = taken[match.contact.id]
        made.append(
            Offer(
                id=new_id(),
                visit_id=visit_id,
                interaction_id=interaction_id,
                agent_id=match.agent.id,
                queue_id=queue_id,
                channel=channel,
                cost=match.cost,
                expires_at=ends[queue_id],
                wrap_up_s=queues[queue_id].wrap_up_s,
                card=shown[interaction_id],
            )
        )
    await reservations.offer(tx, made, now)
    await schedule_many(tx, EXPIRY, [(str(new_id()), at, {}) for at in {one.expires_at for one in made}])
    for one in made:
        call = calls[one.interaction_id]
        interactions.emit(tx, InteractionOffered, call, now, queue=one.queue_id, agent=one.agent_id)
