"""Starting the suite's second process (`workers`), waking it, and starting it again should it ever end unasked.

All relays, consumers, timers, jobs and senders are there; no request shares an event loop with any of them.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import orjson

from crm_shared.observability.logs import logger
from crm_shared.settings import ServiceSettings
from crm_suite.allinone.workers import FAREWELL, READY

_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0
_AGAIN_AFTER_S = 1.0
_log = logger("background")


class BackgroundFailed(RuntimeError):
    """The second process ended before it was ready."""


class Background:
    """The second process as the first one sees it."""

    def __init__(self, complaints: IO[bytes]) -> None:
        self._complaints = complaints
        self._watching: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._settings = b""
        self._names: list[str] = []

    async def launch(self) -> None:
        """Start the process; it imports the services while it waits for its settings."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "crm_suite.allinone.workers"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._complaints,
            start_new_session=True,  # a terminal's Ctrl-C reaches us, and we stop it in order
        )

    async def work(self, settings: Mapping[str, ServiceSettings]) -> None:
        """Have these services' workers run, and return when they do.

        Raises:
            BackgroundFailed: they don't.
        """
        self._names = list(settings)
        told = {name: values.model_dump(mode="json") for name, values in settings.items()}
        self._settings = orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
        await self._begin()
        self._watching = asyncio.create_task(self._watch(), name="background:watch")

    def waker(self, service: str) -> Callable[[], None]:
        """What to call when this process has committed something of the service."""
        byte = bytes([self._names.index(service)])

        def wake() -> None:
            self._say(byte)

        return wake

    async def stop(self) -> None:
        """Let the workers finish what is in hand; a second call does nothing."""
        if self._watching is not None:
            self._watching.cancel()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if self._settings:
            self._say(bytes([FAREWELL]))
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _begin(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        self._say(self._settings)
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                said = await process.stdout.readline()
        except TimeoutError:
            said = b""
        if said != READY:
            with suppress(ProcessLookupError):
                process.kill()
            raise BackgroundFailed("The workers' process did not start; the suite's log tells why.")

    async def _watch(self) -> None:
        """Start the process again whenever it ends unasked."""
        while self._process is not None:
            code = await self._process.wait()
            _log.error("workers_ended", code=code)
            await asyncio.sleep(_AGAIN_AFTER_S)
            with suppress(BackgroundFailed, OSError):
                await self.launch()
                await self._begin()

    def _say(self, words: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(words)


@asynccontextmanager
async def background_launched(log: Path) -> AsyncGenerator[Background]:
    """The second process from its launch to its end; it works from `Background.work` on."""
    with log.open("ab") as complaints:
        background = Background(complaints)
        await background.launch()
        try:
            yield background
        finally:
            await background.stop()
