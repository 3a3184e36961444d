"""The dispatcher: one for each tenant's shard, wherever a worker holds its lease.

Commands leave notes of what has changed. A round takes the notes, brings the index in memory up to date from the rows
they name, matches, and writes the offers, all in one transaction that holds the shard's row. If anything fails, the
transaction and the index are thrown away and the next round begins with a fresh one; so does a worker that takes over
a lease that has lapsed. Nothing that a customer or a counter depends on lives only in memory.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from crm_contact_center.agents import store as agent_store
from crm_contact_center.agents.domain import Agent as AgentRow
from crm_contact_center.agents.domain import AgentState
from crm_contact_center.changes import store as changes
from crm_contact_center.routing.commands.offers import offer
from crm_contact_center.routing.domain.index import RoutingIndex
from crm_contact_center.routing.domain.matching import Agent
from crm_contact_center.routing.domain.queues import Queue, Visit, VisitState
from crm_contact_center.routing.domain.requirements import Plan, plan
from crm_contact_center.routing.store import queues, shards, visits
from crm_contact_center.routing.store.shards import Lease
from crm_shared.bus.wake import hang
from crm_shared.clock import Clock
from crm_shared.db.pool import Database, Tx
from crm_shared.ids import new_id
from crm_shared.observability.logs import logger
from crm_shared.runtime.worker import WorkerContext

_log = logger("dispatcher")
LEASE = timedelta(seconds=5)
_RENEW_BELOW = LEASE / 2
_NOTES_AT_ONCE = 5_000
BATCH = 500
"""Offers in one transaction: large enough to spread the commit, small enough for an offer not to wait long for it."""
_POLL_S = 0.2
_TENANTS_AT_ONCE = 2
"""One tenant's batch is worked out while the database writes another's."""


@dataclass(slots=True)
class _Shard:
    """One tenant's waiting contacts and agents, as of an epoch of its lease."""

    epoch: int
    index: RoutingIndex = field(default_factory=RoutingIndex)
    queues: dict[UUID, Queue] = field(default_factory=dict[UUID, Queue])
    plans: dict[tuple[UUID, int, tuple[tuple[str, int], ...], int], Plan] = field(
        default_factory=dict[tuple[UUID, int, tuple[tuple[str, int], ...], int], Plan]
    )
    lease_until: datetime | None = None
    next_timer_at: datetime | None = None


class Dispatcher:
    """Holds the leases and indexes of one worker."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.holder = new_id()
        self._shards: dict[UUID, _Shard] = {}
        self._unfinished: set[UUID] = set()
        self._at_once = asyncio.Semaphore(_TENANTS_AT_ONCE)

    async def round(self) -> int:
        """One batch for every tenant that has something to do; says how many offers came of it.

        So a tenant with a rush of thousands keeps no other one waiting.
        """
        now = self._clock.now()
        async with self._database.across() as tx:
            noted = {*await changes.tenants_with_notes(tx), *await shards.tenants_with_timers(tx, now)}
        return sum(await asyncio.gather(*(self._turn(tenant) for tenant in noted | self._unfinished)))

    @property
    def rests(self) -> bool:
        """Whether no tenant's batch has left something over."""
        return not self._unfinished

    async def dispatch(self, tenant: UUID) -> int:
        """Match and offer for one tenant until nothing is left to do; says how many offers were made."""
        offers, more = 0, True
        while more:
            made, more = await self._batch(tenant)
            offers += made
        return offers

    async def _turn(self, tenant: UUID) -> int:
        async with self._at_once:
            self._unfinished.discard(tenant)
            try:
                made, more = await self._batch(tenant)
            except Exception as error:  # noqa: BLE001 # one tenant's trouble must not stop the others' offers
                _log.error("dispatch_failed", tenant=str(tenant), exc_info=error)
                return 0
            if more:
                self._unfinished.add(tenant)
            return made

    async def _batch(self, tenant: UUID) -> tuple[int, bool]:
        try:
            async with self._database.transaction(tenant) as tx:
                return await self._step(tx)
        except BaseException:
            self._shards.pop(tenant, None)
            raise

    def forget(self, tenant: UUID) -> None:
        """Throw an index away; the next round rebuilds it."""
        self._shards.pop(tenant, None)

    async def _step(self, tx: Tx) -> tuple[int, bool]:
        now = self._clock.now()
        shard = await self._held(tx, now)
        if shard is None:
            return 0, False
        noted_visits, noted_agents = await changes.take(tx, _NOTES_AT_ONCE)
        await self._refresh(tx, shard, noted_visits, noted_agents, now)
        matches = shard.index.match(now.timestamp(), BATCH)
        made = 0
        if matches:
            offered = await offer(tx, matches, shard.queues, now=now)
            made = offered.made
            await self._refresh(tx, shard, offered.stale_visits, offered.stale_agents, now)
        await self._set_timer(tx, shard)
        return made, shard.index.has_fresh or len(noted_visits) + len(noted_agents) >= _NOTES_AT_ONCE

    async def _held(self, tx: Tx, now: datetime) -> _Shard | None:
        """The shard if this worker may dispatch it: locked, its lease ours, its index of this epoch."""
        lease = await shards.lock_lease(tx)
        if lease is None:
            await shards.ensure_shard(tx)
            return await self._held(tx, now)
        if lease.holder != self.holder and lease.until is not None and lease.until > now:
            self._shards.pop(tx.tenant, None)
            return None
        shard = self._shards.get(tx.tenant)
        if lease.holder == self.holder and shard is not None and shard.epoch == lease.epoch:
            if lease.until is None or lease.until - now < _RENEW_BELOW:
                await shards.hold_lease(tx, Lease(self.holder, lease.epoch, now + LEASE))
            return shard
        await shards.hold_lease(tx, Lease(self.holder, lease.epoch + 1, now + LEASE))
        return await self._rebuilt(tx, lease.epoch + 1, now)

    async def _rebuilt(self, tx: Tx, epoch: int, now: datetime) -> _Shard:
        shard = self._shards[tx.tenant] = _Shard(epoch)
        shard.queues = {found.id: found for found in await queues.open_queues(tx)}
        for found in await agent_store.signed_in(tx):
            if _is_open(found):
                shard.index.put_agent(_seen(found))
        await self._put_visits(tx, shard, {visit.id: visit for visit in await visits.waiting(tx)}, now)
        return shard

    async def _refresh(
        self,
        tx: Tx,
        shard: _Shard,
        visit_ids: "set[UUID] | frozenset[UUID]",
        agent_ids: "set[UUID] | frozenset[UUID]",
        now: datetime,
    ) -> None:
        """Bring the index in line with the rows: what a note says is only where to look."""
        if agent_ids:
            found = await agent_store.get_many(tx, agent_ids)
            for agent_id in agent_ids:
                agent = found.get(agent_id)
                if agent is not None and _is_open(agent):
                    shard.index.put_agent(_seen(agent))
                else:
                    shard.index.remove_agent(agent_id, now.timestamp())
        if visit_ids:
            waiting = await visits.get_many(tx, visit_ids)
            for visit_id in visit_ids:
                if visit_id not in waiting or waiting[visit_id].state is not VisitState.WAITING:
                    shard.index.remove_contact(visit_id)
            still = {visit.id: visit for visit in waiting.values() if visit.state is VisitState.WAITING}
            # A note on a visit may also mean that its queue has changed.
            shard.queues |= await queues.get_many(tx, {visit.queue_id for visit in still.values()})
            await self._put_visits(tx, shard, still, now)

    async def _put_visits(self, tx: Tx, shard: _Shard, waiting: dict[UUID, Visit], now: datetime) -> None:
        missing = {visit.queue_id for visit in waiting.values()} - shard.queues.keys()
        if missing:
            shard.queues |= await queues.get_many(tx, missing)
        for visit in waiting.values():
            shard.index.put_contact(visit.contact(_plan(shard, visit)), now.timestamp())

    async def _set_timer(self, tx: Tx, shard: _Shard) -> None:
        timer = shard.index.next_timer
        next_at = None if timer is None else datetime.fromtimestamp(timer, UTC)
        if next_at != shard.next_timer_at:
            await shards.set_next_timer(tx, next_at)
            shard.next_timer_at = next_at


def _plan(shard: _Shard, visit: Visit) -> Plan:
    queue = shard.queues[visit.queue_id]
    key = (queue.id, queue.version, tuple(sorted(visit.needs.items())), visit.cost)
    known = shard.plans.get(key)
    if known is None:
        known = shard.plans[key] = plan(visit.needs, queue.steps, cost=visit.cost, strategy=queue.strategy)
    return known


def _is_open(agent: AgentRow) -> bool:
    return not agent.retired and agent.state in (AgentState.AVAILABLE, AgentState.WRAPPING)


def _seen(agent: AgentRow) -> Agent:
    """An agent as the index sees them; one who wraps up is there, but has no room."""
    return Agent(
        id=agent.id,
        skills=tuple(sorted(agent.skills.items())),
        room=agent.room if agent.state is AgentState.AVAILABLE else 0,
        idle_since=agent.idle_since.timestamp(),
        used=agent.used,
        last_offered_at=agent.last_offered_at.timestamp() if agent.last_offered_at else 0.0,
    )


async def dispatch_loop(worker: WorkerContext) -> None:
    """A worker's endless dispatching: at once after a commit in this process, else by polling."""
    dispatcher = Dispatcher(worker.database, worker.clock)
    bell = hang(changes.DOORBELL)
    while True:
        if not await dispatcher.round() and dispatcher.rests:
            await bell.wait(_POLL_S)
