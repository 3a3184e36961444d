"""Watching over one request: its deadline, and whether its client still waits.

A request that is answered within 20 ms pays for one timer only; the task that listens for the client's leaving begins
after that.
"""

import asyncio

from crm_gateway.proxy.body import RequestBody

_WATCH_AFTER_S = 0.02


class Guard:
    """Cancels the current task when time is up or the client has hung up, and remembers which it was."""

    __slots__ = ("_armed", "_body", "_ends", "_loop", "_task", "_timer", "_watcher", "client_left")

    def __init__(self, body: RequestBody, timeout_s: float) -> None:
        self.client_left = False
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._armed = False
        self._ends: float | None = self._loop.time() + timeout_s
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(min(timeout_s, _WATCH_AFTER_S), self._arm)

    @property
    def timed_out(self) -> bool:
        """Whether time was up."""
        return self._body.fate.timed_out

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self._ends - self._loop.time() if self._ends is not None else float("inf")

    def allow(self, seconds: float | None) -> None:
        """From now on, this much time; None: as long as it takes."""
        self._ends = None if seconds is None else self._loop.time() + seconds
        if self._armed:
            self._set_timer()

    def stop(self) -> None:
        """The request has ended; nobody needs watching any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _arm(self) -> None:
        self._armed = True
        self._watcher = self._loop.create_task(self._watch())
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._ends is None else self._loop.call_at(self._ends, self._time_is_up)

    def _time_is_up(self) -> None:
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

    def forgive(self) -> None:
        """Takes back the cancellation that this guard asked for, so that the task may answer."""
        if self._task is not None:
            self._task.uncancel()
