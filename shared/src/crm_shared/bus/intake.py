"""Taking a delivered batch in: one transaction per tenant claims, checks sequences, applies and parks.

A batch that fails is tried again while the database seems to be away, else cut in halves until the event that fails
stands alone. It gets two seconds to succeed; then its key is parked with all that follows it, and every other key goes
on. What passes later than that is none the worse: a parked key is tried again after five seconds.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from crm_shared.bus import metrics
from crm_shared.bus.effects import Effects
from crm_shared.bus.port import Delivered
from crm_shared.bus.sequencing import Incoming, Plan, as_parked, plan
from crm_shared.clock import Clock
from crm_shared.db import inbox, parking
from crm_shared.db.away import AWAY, PASSING
from crm_shared.db.departures import has_left
from crm_shared.db.inbox import UNSEEN, Position
from crm_shared.db.pool import NO_TENANT, Database
from crm_shared.events import Envelope, is_told_by_others
from crm_shared.observability.logs import logger

_log = logger("bus.intake")
_RETRY_FOR_S = 2.0
"""How long one delivered batch may hold up what comes behind it for the sake of events that fail."""
_SHORTEST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_TENANTS_AT_ONCE = 2
TAKE_DEADLINE_S = 20.0
"""Handlers of a batch that take longer together fail; well below what makes a group take a member for stuck."""
TENANTS = "tenant"
"""The aggregate by whose events a service learns which tenants there are."""
IDLE_AT_MOST_S = 5.0
"""A process that was stopped amid an event must not hold its locks against the one that took its place."""


@dataclass(frozen=True, slots=True)
class Healing:
    """A key for which something has arrived that may let it go on."""

    tenant: UUID
    key: str


class Intake:
    """The inbox side of one consuming service."""

    def __init__(self, database: Database, effects: Effects, clock: Clock) -> None:
        self._database = database
        self._effects = effects
        self._clock = clock
        self._service = database.service
        self._room = asyncio.Semaphore(_TENANTS_AT_ONCE)
        self._tenants: set[UUID] = set()
        self.attempted_s = 0.0
        """When something was last tried, on the event loop's clock."""

    async def take(self, batch: Sequence[Delivered]) -> list[Healing]:
        """Take a batch in; afterwards each event has been applied, or waits, or was seen before.

        Raises:
            Exception: not even parking worked; the database is away, and the batch should be taken again.
        """
        by_tenant: dict[UUID, list[Incoming]] = {}
        broken: list[tuple[Delivered, Exception]] = []
        for delivered in batch:
            try:
                item = await self.read(delivered)
            except ValueError as error:
                broken.append((delivered, error))
            else:
                by_tenant.setdefault(item.envelope.tenant, []).append(item)
        deadline = _now_s() + _RETRY_FOR_S
        outcomes = await asyncio.gather(
            *(self._take_tenant(tenant, items, deadline) for tenant, items in by_tenant.items()),
            return_exceptions=True,
        )
        for delivered, error in broken:
            await self._park_undecodable(delivered, error)
        healing: list[Healing] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            healing += outcome
        return healing

    async def read(self, delivered: Delivered) -> Incoming:
        """The event in a record.

        Raises:
            ValueError: there is none for us, or of a company that doesn't exist.
        """
        envelope = Envelope.from_record(delivered.topic, delivered.value)
        # Our own services speak of tenants there are; anybody else may err, and nobody looks after a stranger's keys.
        if is_told_by_others(delivered.topic) and not await self._knows(envelope.tenant):
            raise ValueError(f"there is no tenant {envelope.tenant}")
        return Incoming(delivered, envelope, self._effects.in_sequence(delivered.topic))

    async def apply(self, tenant: UUID, items: Sequence[Incoming]) -> list[Healing]:
        """One transaction for all; raises what a handler raises, and then nothing has happened."""
        async with self._database.transaction(tenant, idle_at_most_s=IDLE_AT_MOST_S) as tx:
            fresh = await inbox.claim(tx, [item.envelope.id for item in items])
            # The same event can be twice in one batch: the first one counts.
            news = [item for item in items if item.envelope.id in fresh and not fresh.discard(item.envelope.id)]
            states = await inbox.key_states(tx, {item.key for item in news}) if news else {}
            planned = plan(news, states)
            async with asyncio.timeout(TAKE_DEADLINE_S):
                for steps in planned.rounds:
                    await self._effects.apply(tx, steps)
            await inbox.advance(tx, planned.positions)
            await parking.park_keys(tx, planned.newly_parked, now=self._clock.now())
            await parking.park_events(tx, [item.parked() for item in planned.waiting])
        self._count(items, news, planned)
        return [Healing(tenant, key) for key in planned.healing]

    async def _knows(self, tenant: UUID) -> bool:
        if tenant not in self._tenants:
            async with self._database.transaction(tenant) as tx:
                # What comes for one that has left isn't news: it is known, and nothing of it takes effect.
                if await inbox.key_states(tx, [f"{TENANTS}:{tenant}"]) or await has_left(tx):
                    self._tenants.add(tenant)
        return tenant in self._tenants

    async def _take_tenant(self, tenant: UUID, items: Sequence[Incoming], deadline: float) -> list[Healing]:
        async with self._room:
            return await self._attempt(tenant, items, deadline)

    async def _attempt(self, tenant: UUID, items: Sequence[Incoming], deadline: float) -> list[Healing]:
        pause_s = _SHORTEST_PAUSE_S
        while True:
            self.attempted_s = _now_s()
            try:
                return await self.apply(tenant, items)
            except PASSING as error:
                failure: Exception = error
                if _now_s() + pause_s < deadline and (len(items) == 1 or isinstance(error, AWAY)):
                    await asyncio.sleep(random.uniform(_SHORTEST_PAUSE_S, pause_s))  # noqa: S311 # spreads retries
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                    continue
            except Exception as error:  # noqa: BLE001 # whatever a handler raises parks its key and no other
                failure = error
            if len(items) == 1:
                await self._park_failed(tenant, items[0], failure)
                return []
            half = len(items) // 2
            first = await self._attempt(tenant, items[:half], deadline)
            return first + await self._attempt(tenant, items[half:], deadline)

    async def _park_failed(self, tenant: UUID, item: Incoming, error: Exception) -> None:
        async with self._database.transaction(tenant) as tx:
            if not await inbox.claim(tx, [item.envelope.id]):
                return
            if not item.in_sequence:  # its place is the next one, so that it can be tried again, or skipped
                await inbox.advance(tx, {item.key: Position(item.position.epoch, item.position.seq - 1)})
            reasons = {item.key: parking.FAILED}
            await parking.park_keys(tx, reasons, now=self._clock.now(), error=_told(error))
            await parking.park_events(tx, [item.parked()])
        metrics.PARKED.labels(self._service, parking.FAILED).inc()
        _log.error("key_parked", key=item.key, type=item.envelope.type, reason=parking.FAILED, exc_info=error)

    async def _park_undecodable(self, delivered: Delivered, error: Exception) -> None:
        key = f"{delivered.topic}:{delivered.partition}:{delivered.offset}"
        waiting = as_parked(delivered, key, UNSEEN, event_id=NO_TENANT, type="")
        async with self._database.transaction(NO_TENANT) as tx:
            await parking.park_keys(tx, {key: parking.UNDECODABLE}, now=self._clock.now(), error=_told(error))
            await parking.park_events(tx, [waiting])
        metrics.PARKED.labels(self._service, parking.UNDECODABLE).inc()
        _log.error("key_parked", key=key, reason=parking.UNDECODABLE, error=error)

    def _count(self, items: Sequence[Incoming], news: Sequence[Incoming], planned: Plan) -> None:
        metrics.APPLIED.labels(self._service).inc(planned.steps)
        metrics.DUPLICATES.labels(self._service).inc(len(items) - len(news))
        if news:
            oldest = min(item.envelope.time for item in news)
            metrics.APPLY_SECONDS.labels(self._service).observe((self._clock.now() - oldest).total_seconds())
        for key, reason in planned.newly_parked.items():
            metrics.PARKED.labels(self._service, reason).inc()
            if reason == parking.GAP:
                metrics.GAPS.labels(self._service).inc()
            _log.warning("key_parked", key=key, reason=reason)
        for item in planned.stale:
            if not item.envelope.type.endswith(".snapshot.v1"):
                metrics.STALE.labels(self._service).inc()
                _log.error("stale_event", key=item.key, type=item.envelope.type, sequence=item.envelope.sequence)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
