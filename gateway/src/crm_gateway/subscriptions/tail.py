"""Following kept events: one reader a process, whose findings all open streams of a company share.

A stream pulls: it asks for what comes after its own position when its client has taken what it had. What it asks for is
usually in memory, where the last few events of each followed company are; one that has fallen behind reads pages from
the database, two at a time in all. So a slow reader waits and costs nothing, and a thousand streams hold no connection.
"""

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from crm_gateway.subscriptions import queries, store
from crm_gateway.subscriptions.domain import Head, KeptEvent
from crm_gateway.subscriptions.news import CHANNEL, tenants_in
from crm_gateway.subscriptions.queries import Batch, Wanted
from crm_gateway.subscriptions.settings import SubscriptionSettings
from crm_shared.bus.wake import is_set_within
from crm_shared.db.away import PASSING
from crm_shared.db.notices import listen
from crm_shared.db.pool import Database
from crm_shared.observability.logs import logger

_log = logger("gateway.tail")
_PAGE = 200
_REMEMBERED = 500
_REMEMBERED_BYTES = 1_000_000
_CATCHING_UP_AT_ONCE = 2


@dataclass(slots=True)
class _Line:
    """One company's last events: all with positions above `start`, up to `reached`."""

    start: int
    reached: int
    followers: int = 0
    size: int = 0
    events: deque[KeptEvent] = field(default_factory=deque[KeptEvent])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def extend(self, batch: list[KeptEvent], reached: int) -> None:
        self.events.extend(batch)
        self.size += sum(len(event.text) for event in batch)
        while len(self.events) > _REMEMBERED or self.size > _REMEMBERED_BYTES:
            forgotten = self.events.popleft()
            self.size -= len(forgotten.text)
            self.start = forgotten.position
        self.reached = reached
        self.news.set()
        self.news = asyncio.Event()


class Tail:
    """What the open streams of this process follow."""

    def __init__(self, settings: SubscriptionSettings) -> None:
        self.settings = settings
        self._lines: dict[UUID, _Line] = {}
        self._changed: set[UUID] = set()
        self._woken = asyncio.Event()
        self._room = asyncio.Semaphore(_CATCHING_UP_AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        self._database: Database | None = None
        self._url = ""

    def use(self, database: Database, url: str) -> None:
        """Begins to work: where events are kept."""
        self._database, self._url = database, url

    async def close(self) -> None:
        """Nobody follows any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    @contextmanager
    def followed(self, tenant: UUID, latest: int) -> Generator[None]:
        """Keeps a company's line up to date, for as long as the block lasts; `latest` is how far its events reach."""
        line = self._lines.setdefault(tenant, _Line(latest, latest))
        line.followers += 1
        if not self._tasks:  # a process without streams holds no connection for them
            self._tasks.append(asyncio.create_task(self._read(), name="gateway:tail"))
            hearing = listen(self._url, CHANNEL, self.heard)
            self._tasks.append(asyncio.create_task(hearing, name="gateway:tail-listen"))
        try:
            yield
        finally:
            line.followers -= 1
            if not line.followers:
                del self._lines[tenant]

    async def after(self, tenant: UUID, position: int, wanted: Wanted, *, at_most_s: float) -> Batch:
        """What comes after a position, as soon as there is something; nothing new after so long."""
        line = self._lines[tenant]
        if position >= line.reached:
            await is_set_within(line.news, at_most_s)
        if position < line.start:
            assert self._database is not None
            async with self._room, self._database.reading(tenant) as tx:
                return await queries.read(tx, wanted, position, limit=_PAGE)
        found = [event for event in line.events if event.position > position and wanted.takes(event)]
        return Batch(found, max(position, line.reached), Head(line.reached))

    def heard(self, text: str) -> None:
        """There are new events; empty: perhaps of anybody."""
        self._changed |= tenants_in(text) & self._lines.keys() if text else self._lines.keys()
        self._woken.set()

    async def _read(self) -> None:
        while True:
            woken = await is_set_within(self._woken, self.settings.look_every_s)
            changed = self._changed if woken else set(self._lines)
            self._woken.clear()
            self._changed = set()
            for tenant in changed:
                await self._extend(tenant)

    async def _extend(self, tenant: UUID) -> None:
        line = self._lines.get(tenant)
        if line is None or self._database is None:
            return
        try:
            while True:
                async with self._database.reading(tenant) as tx:
                    events = await store.read_after(tx, line.reached, limit=_PAGE)
                if events:
                    line.extend(events, events[-1].position)
                if len(events) < _PAGE:
                    return
        except PASSING as error:
            _log.warning("cannot_look", error=f"{type(error).__name__}: {error}")
