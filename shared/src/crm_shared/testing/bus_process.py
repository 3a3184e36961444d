"""Processes of `bus_service` as their parent sees and ends them."""

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from crm_shared.testing.bus_service import Report, Work, serve

_UP_WITHIN_S = 30.0
_END_WITHIN_S = 30.0
# Forked from a process that has imported everything, a service is up at once.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["crm_shared.testing.bus_service", "crm_shared.bus.kafka"])


@dataclass(slots=True)
class Service:
    """A process as its parent sees it."""

    process: BaseProcess
    hear: "Connection[str, Report | str]"

    @classmethod
    async def start(cls, work: Work) -> "Service":
        """Begin; returns when it works, whatever it is about to do to itself."""
        hear, say = _FORKS.Pipe(duplex=False)
        process = _FORKS.Process(target=serve, args=(work, say), daemon=True)
        process.start()
        say.close()
        if not await asyncio.to_thread(hear.poll, _UP_WITHIN_S) or hear.recv() != "up":
            raise RuntimeError("a service under test didn't start")
        return cls(process, hear)

    def send(self, sign: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, sign)

    @property
    def pid(self) -> int:
        """Its number."""
        assert self.process.pid is not None
        return self.process.pid

    def is_stopped(self) -> bool:
        """Whether it has stopped itself, as by SIGSTOP."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    async def killed(self) -> None:
        """Kill it, unless it is gone already."""
        if not self.hear.closed:
            self.process.kill()
            await self.gone()

    async def gone(self) -> None:
        """Return when it is gone.

        Raises:
            TimeoutError: it lives on.
        """
        await asyncio.to_thread(self.process.join, _END_WITHIN_S)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError("a service under test outlived its end")
        self.process.close()
        self.hear.close()

    async def ended(self) -> Report:
        """Have it stop in order, and tell what it has seen."""
        self.send(signal.SIGTERM)
        if not await asyncio.to_thread(self.hear.poll, _END_WITHIN_S):
            raise TimeoutError("a service under test didn't stop")
        report = self.hear.recv()
        assert isinstance(report, Report)
        await self.gone()
        return report
