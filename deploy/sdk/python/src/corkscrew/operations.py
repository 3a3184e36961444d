"""Long jobs: the API answers at once, and the job goes on."""

import asyncio
import time
from typing import TYPE_CHECKING

from corkscrew.errors import OperationFailed, TimedOut
from corkscrew.models import OperationRead
from corkscrew.request import Request

if TYPE_CHECKING:
    from corkscrew.transport import AsyncTransport, Transport

FIRST_LOOK_S = 0.1
LONGEST_LOOK_S = 2.0
SUCCEEDED = "succeeded"


class _Started:
    """What is known of a job."""

    def __init__(self, latest: OperationRead) -> None:
        self.latest = latest
        """The job as it was last seen."""

    @property
    def id(self) -> str:
        return self.latest.id

    @property
    def state(self) -> str:
        return self.latest.state

    def _ended(self, latest: OperationRead) -> bool:
        self.latest = latest
        if latest.finished_at is not None and latest.state != SUCCEEDED:
            raise OperationFailed(latest)
        return latest.finished_at is not None

    def _too_late(self) -> TimedOut:
        return TimedOut(f"{self.latest.kind} {self.id} goes on: {self.latest.done} of {self.latest.total} done")

    def _look(self) -> Request:
        return Request("GET", f"/v1/operations/{self.id}")

    def _stop(self) -> Request:
        return Request("POST", f"/v1/operations/{self.id}/cancel")


class Pending(_Started):
    """A job that was started."""

    def __init__(self, transport: "Transport", latest: OperationRead) -> None:
        super().__init__(latest)
        self._transport = transport

    def refresh(self) -> OperationRead:
        self.latest = self._transport.read(self._look(), OperationRead)
        return self.latest

    def cancel(self) -> OperationRead:
        """Ask it to stop at its next safe place."""
        self.latest = self._transport.read(self._stop(), OperationRead)
        return self.latest

    def wait(self, timeout: float | None = None) -> OperationRead:
        """Wait for success, `timeout` seconds at most.

        Raises:
            OperationFailed: it failed or was cancelled.
            TimedOut: it goes on; wait again, or cancel it.
        """
        started, pause = time.monotonic(), FIRST_LOOK_S
        while not self._ended(self.refresh()):
            if timeout is not None and time.monotonic() - started + pause > timeout:
                raise self._too_late()
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_S)
        return self.latest


class AsyncPending(_Started):
    """A job that was started."""

    def __init__(self, transport: "AsyncTransport", latest: OperationRead) -> None:
        super().__init__(latest)
        self._transport = transport

    async def refresh(self) -> OperationRead:
        self.latest = await self._transport.read(self._look(), OperationRead)
        return self.latest

    async def cancel(self) -> OperationRead:
        """Ask it to stop at its next safe place."""
        self.latest = await self._transport.read(self._stop(), OperationRead)
        return self.latest

    async def wait(self, timeout: float | None = None) -> OperationRead:
        """Wait for success, `timeout` seconds at most.

        Raises:
            OperationFailed: it failed or was cancelled.
            TimedOut: it goes on; wait again, or cancel it.
        """
        started, pause = time.monotonic(), FIRST_LOOK_S
        while not self._ended(await self.refresh()):
            if timeout is not None and time.monotonic() - started + pause > timeout:
                raise self._too_late()
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_S)
        return self.latest
