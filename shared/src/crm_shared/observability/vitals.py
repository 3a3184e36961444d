"""The pulse of a process: how late its event loop runs, and gauges whose setting would cost each request something.

Four times a second is often enough for whoever scrapes every ten seconds, and costs nothing that could be measured.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakSet

from prometheus_client import Histogram

_BEAT_S = 0.25
LAG = Histogram(
    "crm_event_loop_lag_seconds",
    "How late the event loop ran, looked at four times a second.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


class Shown(Protocol):
    """Something that sets its gauges when it is asked to."""

    def show(self) -> None:
        """Set them."""
        ...


class Vitals:
    """Of one process. Several applications may share it, as in `make run`: it beats as long as one of them runs."""

    def __init__(self) -> None:
        self.lag_s = 0.0
        """How late the loop ran when it was last looked at."""
        self._shown: WeakSet[Shown] = WeakSet()
        self._users = 0
        self._beating: asyncio.Task[None] | None = None

    def watch(self, shown: Shown) -> None:
        """Have this show its gauges at each beat, for as long as anybody else holds it."""
        self._shown.add(shown)

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        """Beats for as long as the block lasts."""
        self._users += 1
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat(), name="vitals")
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                self._beating.cancel()
                await asyncio.gather(self._beating, return_exceptions=True)
                self._beating = None
                self.lag_s = 0.0

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            self.lag_s = max(loop.time() - due_s, 0.0)
            LAG.observe(self.lag_s)
            for shown in tuple(self._shown):
                shown.show()


VITALS = Vitals()
