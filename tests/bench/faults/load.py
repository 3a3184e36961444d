"""Writers that keep a rate, whatever the answer takes."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from crm_shared.testing.bus import Line

from .stage import Played


@dataclass(slots=True)
class Load:
    """Commits of one event each, at a steady rate; the numbers ascend."""

    line: Line
    tenant: UUID
    items: Sequence[UUID]
    per_second: float
    took_s: list[float] = field(default_factory=list[float])
    """How long each write took, from the moment it was due."""
    committed: dict[int, float] = field(default_factory=dict[int, float])
    """When each number was committed, on the machine's monotonic clock."""

    _writing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _running: asyncio.Task[None] = field(init=False)

    def begin(self) -> None:
        """Write until `end`."""
        self._running = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Write no more; returns when every write that was begun has its answer."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await asyncio.gather(*self._writing)

    async def _run(self) -> None:
        chance, started = random.Random(7), time.monotonic()
        for number in count():
            due = started + number / self.per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._write(number, chance.choice(self.items), due))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write(self, number: int, item: UUID, due: float) -> None:
        await self.line.write(self.tenant, item, number)
        self.committed[number] = time.monotonic()
        self.took_s.append(self.committed[number] - due)


@asynccontextmanager
async def load(played: Played, *, per_second: float = 200.0) -> AsyncGenerator[Load]:
    """Writes at this rate during the block."""
    writers = Load(played.line, played.tenant, played.items, per_second)
    writers.begin()
    try:
        yield writers
    finally:
        await writers.end()


def percentile(values: Sequence[float], percent: float) -> float:
    """Of unsorted values; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
