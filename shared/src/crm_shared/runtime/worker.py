"""A worker process: relay, consumer, timers, long jobs and the service's own loops, each on the same event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from crm_shared.bus.consumer import Consumer
from crm_shared.bus.effects import Effects
from crm_shared.bus.port import Bus
from crm_shared.bus.relay import Relay
from crm_shared.bus.wake import is_set_within
from crm_shared.clock import Clock
from crm_shared.db.away import AWAY, PASSING
from crm_shared.db.backlog import backlog_of
from crm_shared.db.due import run_due
from crm_shared.db.idempotency import forget_old_keys
from crm_shared.db.operations import run_one_operation
from crm_shared.db.pool import Database
from crm_shared.observability.health import Check
from crm_shared.observability.logs import logger
from crm_shared.runtime.service import Service
from crm_shared.settings import ServiceSettings

_log = logger("worker")
_POLL_S = 0.2
_IDLE_POLL_S = 1.0
_HOUSEKEEPING_S = 600.0
_COUNT_S = 5.0
_RESTART_AFTER_S = 1.0


@dataclass(slots=True)
class WorkerContext:
    """What a service's own loop gets: its database as the worker, the clock, and a wake-up after local commits."""

    service: Service
    database: Database
    clock: Clock
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, at_most_s: float) -> None:
        """Wait for a commit of this process, but no longer than this."""
        await is_set_within(self.woken, at_most_s)
        self.woken.clear()


class Worker:
    """All endless tasks of one service in one process."""

    def __init__(
        self, service: Service, database: Database, bus: Bus, clock: Clock, *, settings: ServiceSettings
    ) -> None:
        self._service = service
        self._database = database
        self._clock = clock
        self._contexts: list[WorkerContext] = []
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.checks: Mapping[str, Check] = {}
        """What has to be well before this worker is ready."""
        direct = settings.direct_database_url or settings.worker_database_url
        self.relay = Relay(database, bus, direct_url=direct, source=service.name, heard=self.wake)
        self.consumer = Consumer(
            database,
            bus,
            name=service.name,
            effects=Effects(service.projections, service.reactions, clock, taps=service.taps(settings.purge_after)),
            clock=clock,
        )

    def start(self) -> None:
        """Begin to work."""
        self._database.wakers.append(self.wake)
        self._spawn("relay", self.relay.run)
        if self._service.topics_consumed:
            self._spawn("consumer", self.consumer.run)
        self._spawn("timers", lambda: self._timers(self._context()))
        self._spawn("jobs", lambda: self._jobs(self._context()))
        self._spawn("housekeeping", self._housekeeping)
        self._spawn("counting", self._count)
        for loop in self._service.loops:
            context = self._context()
            self._spawn(getattr(loop, "__name__", "loop"), lambda loop=loop, context=context: loop(context))

    @property
    def consumes(self) -> bool:
        """Whether there is anything to consume."""
        return bool(self._service.topics_consumed)

    def wake(self) -> None:
        """Something was committed, here or in another process; look for work now."""
        self.relay.wake()
        for context in self._contexts:
            context.woken.set()

    async def stop(self) -> None:
        """Finish what is in hand, then stop; ten seconds at most for each part."""
        self._stopping.set()
        await self.consumer.stop()
        await self.relay.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _context(self) -> WorkerContext:
        context = WorkerContext(self._service, self._database, self._clock)
        self._contexts.append(context)
        return context

    def _spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._forever(name, run), name=f"{self._service.name}:{name}"))

    async def _forever(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a loop again whenever it fails, so that one bad moment doesn't end it for good."""
        while not self._stopping.is_set():
            try:
                await run()
                return
            except asyncio.CancelledError:
                raise
            except AWAY as error:
                _log.warning("database_away", service=self._service.name, loop=name, error=error)
            except Exception as error:  # noqa: BLE001
                _log.error("loop_failed", service=self._service.name, loop=name, exc_info=error)
            await asyncio.sleep(_RESTART_AFTER_S)

    async def _timers(self, context: WorkerContext) -> None:
        timers = self._service.timers
        while not self._stopping.is_set():
            if not await run_due(self._database, timers, now=self._clock.now()):
                await context.pause(_POLL_S)

    async def _jobs(self, context: WorkerContext) -> None:
        jobs = self._service.jobs
        while not self._stopping.is_set():
            if not await run_one_operation(self._database, jobs, self._clock):
                await context.pause(_IDLE_POLL_S)

    async def _count(self) -> None:
        while not self._stopping.is_set():
            with suppress(*PASSING):
                (await backlog_of(self._database, now=self._clock.now())).show(self._service.name)
            await asyncio.sleep(_COUNT_S)

    async def _housekeeping(self) -> None:
        while not self._stopping.is_set():
            await forget_old_keys(self._database, now=self._clock.now())
            await asyncio.sleep(_HOUSEKEEPING_S)
