"""Watching over one request: its deadline, and whether its client still waits.

A request that is answered soon pays for one timer only; the task that listens for the client's leaving begins later.
"""

import asyncio

from crm_gateway.proxy.body import RequestBody

_WATCH_AFTER_S = 0.1


class Guard:
    """Cancels the current task when time is up or the client has hung up, and remembers which it was."""

    __slots__ = ("_body", "_due", "_ends", "_loop", "_of_client", "_task", "_timer", "_watcher", "client_left")

    def __init__(self, body: RequestBody, timeout_s: float) -> None:
        self.client_left = False
        self._of_client: bool | None = None  # as long as nothing is said: whoever is being waited for
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        now = self._loop.time()
        self._ends: float | None = now + timeout_s
        self._due: float | None = now + min(timeout_s, _WATCH_AFTER_S)
        self._timer = self._loop.call_at(self._due, self._look)

    @property
    def timed_out(self) -> bool:
        """Whether the upstream's time was up."""
        return self._body.fate.timed_out

    @property
    def client_slow(self) -> bool:
        """Whether the client's time was up: it sent, or took, too slowly."""
        return self._body.fate.sender_failed

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self._ends - self._loop.time() if self._ends is not None else float("inf")

    def allow(self, seconds: float | None, *, of_client: bool = False) -> None:
        """From now on, this much time of the upstream's, or the client's; None: as long as it takes."""
        self._of_client = of_client
        self._ends = None if seconds is None else self._loop.time() + seconds
        # A timer that comes too early sets itself again; setting it each time would cost more.
        if self._ends is not None and (self._due is None or self._ends < self._due):
            self._set_timer(self._ends)

    def stop(self) -> None:
        """The request has ended; nobody needs watching any more."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def forgive(self) -> None:
        """Takes back the cancellation that this guard asked for, so that the task may answer."""
        if self._task is not None:
            self._task.uncancel()

    def _set_timer(self, due: float) -> None:
        self._due = due
        self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._due = None
        if self._watcher is None:
            self._watcher = self._loop.create_task(self._watch())
        if self._ends is None:
            return
        if self._loop.time() < self._ends:
            self._set_timer(self._ends)
            return
        # Whose fault it is decides whether the upstream's breaker hears of it.
        if self._body.awaited if self._of_client is None else self._of_client:
            self._body.fate.sender_failed = True
        else:
            self._body.fate.timed_out = True
        self._cancel()

    async def _watch(self) -> None:
        await self._body.read.wait()  # until then the body's own reader notices
        await self._body.gone()
        self.client_left = True
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
