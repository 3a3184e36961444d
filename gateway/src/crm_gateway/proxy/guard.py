"""Watching over requests: their deadlines, and whether their clients still wait.

One timer looks after all requests under way, some times a second; a timer for each would cost more than it finds.
"""

import asyncio

from crm_gateway.proxy.body import ClientGone, RequestBody
from crm_gateway.proxy.errand import Errand, current

_LOOK_EVERY_S = 0.05
_LISTEN_AFTER_S = 0.1
"""A request that is answered by then pays for nobody who listens for its client's leaving."""


class TimeUp(Exception):
    """The upstream's time was up, or the client's."""

    def __init__(self, *, of_client: bool) -> None:
        super().__init__()
        self.of_client = of_client


class Watch:
    """All guards on duty."""

    def __init__(self) -> None:
        self._guards: set[Guard] = set()
        self._looking = False

    def begin(self, guard: "Guard") -> None:
        """From now on it is asked to look."""
        self._guards.add(guard)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look)

    def end(self, guard: "Guard") -> None:
        """It has done its duty."""
        self._guards.discard(guard)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for guard in list(self._guards):
            guard.look(now)
        self._looking = bool(self._guards)
        if self._looking:
            loop.call_later(_LOOK_EVERY_S, self._look)


class Guard:
    """Interrupts one request's errand when time is up or its client has hung up."""

    __slots__ = ("_began", "_body", "_ends", "_errand", "_listener", "_loop", "_of_client", "_watch")

    def __init__(self, watch: Watch, body: RequestBody) -> None:
        self._watch = watch
        self._body = body
        errand = current()
        assert errand is not None, "the gateway's requests are errands"
        self._errand: Errand = errand
        self._loop = asyncio.get_running_loop()
        self._listener: asyncio.Task[None] | None = None
        self._began = self._loop.time()
        self._ends: float | None = None
        self._of_client: bool | None = None
        watch.begin(self)

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self._ends - self._loop.time() if self._ends is not None else float("inf")

    def allow(self, seconds: float | None, *, of_client: bool | None = False) -> None:
        """From now on, this much time of the upstream's, or the client's; of None: of whoever is being waited for."""
        self._of_client = of_client
        self._ends = None if seconds is None else self._loop.time() + seconds

    def stop(self) -> None:
        """The request has ended; nobody needs watching any more."""
        self._watch.end(self)
        listener, self._listener = self._listener, None  # it knows us
        if listener is not None:
            listener.cancel()

    def look(self, now: float) -> None:
        """Does what is due by now."""
        if self._ends is not None and now >= self._ends:
            # Whose fault it is decides whether the upstream's breaker hears of it.
            of_client = self._body.awaited if self._of_client is None else self._of_client
            if of_client:
                self._body.fate.sender_failed = True
            else:
                self._body.fate.timed_out = True
            self._interrupt(TimeUp(of_client=of_client))
        elif self._listener is None and self._body.complete and now - self._began >= _LISTEN_AFTER_S:
            self._listener = self._loop.create_task(self._listen())

    async def _listen(self) -> None:
        await self._body.gone()
        # Not from within this task, which the request's code would take for its own.
        self._loop.call_soon(self._interrupt, ClientGone())

    def _interrupt(self, error: Exception) -> None:
        self._watch.end(self)
        self._errand.interrupt(error)
