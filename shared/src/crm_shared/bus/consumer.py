"""A service's consumer: fetch, take in, acknowledge; again and again, and stop in order.

Killed at any point it loses nothing: the database commits before the bus learns of it, and what is delivered again is
recognised by the inbox.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from crm_shared.bus import metrics
from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import Healing, Intake
from crm_shared.bus.parked_keys import ParkedKeys
from crm_shared.bus.port import RETENTION, Bus, BusUnavailable, Delivered, Fenced, Subscription, TopicMissing
from crm_shared.bus.spans import Place
from crm_shared.bus.wake import Doorbell, is_set_within
from crm_shared.clock import Clock
from crm_shared.db.away import PASSING
from crm_shared.db.inbox import sweep_inbox
from crm_shared.db.pool import Database
from crm_shared.observability.logs import logger

_log = logger("bus.consumer")
BATCH = 500
STALLED_AFTER_S = 60.0
FINISH_WITHIN_S = 10.0
INBOX_KEPT = RETENTION + timedelta(days=7)
"""How long an event's id is known; nothing older can be delivered again."""
_FETCH_S = 0.5
_WATCH_EVERY_S = 5.0
_RETRY_EVERY_S = 1.0
_SWEEP_EVERY_S = 3_600.0


class Stalled(RuntimeError):
    """There is work and none of it gets done; starting anew is the cure."""


class Consumer:
    """One service's member of its group `crm.<service>`."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        name: str,
        effects: Effects,
        clock: Clock,
    ) -> None:
        self._database = database
        self._bus = bus
        self._name = name
        self._topics = effects.topics
        self._clock = clock
        effects.place = Place(name, bus.system)
        self.intake = Intake(database, effects, clock)
        self.parked = ParkedKeys(database, effects, self.intake, clock)
        self._healing: set[Healing] = set()
        self._healable = Doorbell()
        self._stopping = asyncio.Event()
        self._consuming: asyncio.Task[None] | None = None
        self._progress_s = 0.0
        self.ready = False
        """Whether this member has joined its group."""

    @property
    def group(self) -> str:
        """The consumer group; one for all workers of a service."""
        return f"crm.{self._name}"

    async def run(self) -> None:
        """Consume until `stop`.

        Raises:
            Stalled: nothing moved for a minute although there is work.
        """
        self._stopping.clear()
        self._consuming = asyncio.current_task()
        subscription = await self._join()
        if subscription is None:
            return
        side_tasks = [
            asyncio.create_task(self._retry_parked(), name=f"{self._name}:parked"),
            asyncio.create_task(self._sweep(), name=f"{self._name}:inbox-sweep"),
            asyncio.create_task(self._watch(subscription), name=f"{self._name}:watch"),
        ]
        consuming = asyncio.create_task(self._consume(subscription), name=f"{self._name}:consume")
        try:
            await asyncio.wait([consuming, *side_tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in (consuming, *side_tasks):
                if task.done():
                    task.result()
        finally:
            self.ready = False
            for task in (consuming, *side_tasks):
                task.cancel()
            await asyncio.gather(consuming, *side_tasks, return_exceptions=True)
            await subscription.aclose()
            self._consuming = None

    async def stop(self) -> None:
        """Fetch no more, finish what is in hand within ten seconds, acknowledge it, and leave the group."""
        self._stopping.set()
        running = self._consuming
        if running is None or running is asyncio.current_task():
            return
        done, _ = await asyncio.wait([running], timeout=FINISH_WITHIN_S)
        if not done:
            running.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await asyncio.wait([running], timeout=FINISH_WITHIN_S)

    async def _join(self) -> Subscription | None:
        while not self._stopping.is_set():
            try:
                subscription = await self._bus.subscribe(self.group, self._topics)
            except (TopicMissing, BusUnavailable) as error:
                _log.warning("cannot_join", group=self.group, error=error)
                await self._pause(2.0)
            else:
                self.ready = True
                self._progress_s = _now_s()
                return subscription
        return None

    async def _consume(self, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            try:
                batch = await subscription.fetch(BATCH, _FETCH_S)
            except BusUnavailable as error:
                _log.warning("bus_away", group=self.group, error=error)
                await self._pause(random.uniform(0.2, 2.0))  # noqa: S311 # spreads retries
                continue
            if not batch or not await self._take(batch):
                continue
            try:
                await subscription.acknowledge(batch)
            except (Fenced, BusUnavailable) as error:
                # What was done stays done; it will be delivered again and recognised.
                _log.warning("not_acknowledged", group=self.group, error=error)
            self._progress_s = _now_s()

    async def _take(self, batch: Sequence[Delivered]) -> bool:
        """Take a batch in, however long the database is away; false when asked to stop meanwhile."""
        while True:
            try:
                self._healing.update(await self.intake.take(batch))
            except PASSING as error:
                _log.warning("database_away", group=self.group, error=error)
                await self._pause(random.uniform(0.2, 2.0))  # noqa: S311 # spreads retries
                if self._stopping.is_set():
                    return False
            else:
                if self._healing:
                    self._healable.ring()
                return True

    async def _retry_parked(self) -> None:
        """Beside the consuming: thousands may wait behind one key, and no other key waits for them."""
        while True:
            try:
                while self._healing:
                    healing = next(iter(self._healing))
                    await self.parked.heal([healing])
                    self._healing.discard(healing)
                await self.parked.retry_due()
            except PASSING as error:
                _log.warning("retry_failed", service=self._name, error=error)
            await self._healable.wait(_RETRY_EVERY_S)

    async def _sweep(self) -> None:
        while True:
            with suppress(*PASSING):
                await sweep_inbox(self._database, before=self._clock.now() - INBOX_KEPT)
            await asyncio.sleep(_SWEEP_EVERY_S)

    async def _watch(self, subscription: Subscription) -> None:
        looked_s = _now_s()
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            try:
                lag = await subscription.lag()
            except (BusUnavailable, *PASSING) as error:
                _log.warning("lag_unknown", service=self._name, error=error)
                continue
            behind = sum(part.records for part in lag.values())
            metrics.LAG_RECORDS.labels(self._name).set(behind)
            metrics.LAG_SECONDS.labels(self._name).set(max((part.seconds for part in lag.values()), default=0.0))
            metrics.LAG_MEASURED.labels(self._name).set_to_current_time()
            # Time in which this very process was stopped or starved, or couldn't look, says nothing of its work.
            self._progress_s += max(_now_s() - looked_s - 2 * _WATCH_EVERY_S, 0.0)
            looked_s = _now_s()
            self._progress_s = max(self._progress_s, self.intake.attempted_s)
            if behind == 0:
                self._progress_s = _now_s()
            elif _now_s() - self._progress_s > STALLED_AFTER_S:
                raise Stalled(f"{self.group}: {behind} records behind and no progress for {STALLED_AFTER_S:.0f} s")

    async def _pause(self, seconds: float) -> None:
        await is_set_within(self._stopping, seconds)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
