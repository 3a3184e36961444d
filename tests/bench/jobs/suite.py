"""The all-in-one suite in a process of its own, on data of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from array import array
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from crm_shared.db.embedded import EmbeddedPostgres
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import Home
from crm_suite.demo.door import Door, eventually
from crm_suite.topology import BUS_DATABASE, NAMES, database_of

_ROOT = Path(__file__).resolve().parents[3]
_UP_WITHIN_S = 60.0
_DOWN_WITHIN_S = 30.0
_BEHIND = (
    "SELECT coalesce(sum(h.next_offset - l.next_offset), 0) FROM bus.lease l JOIN bus.head h USING (topic_id, part)"
)


@dataclass
class RunningSuite:
    """A suite that answers."""

    home: Home
    process: subprocess.Popen[bytes]
    door: Door
    url: str
    mail: str
    tenant: str
    api_key: str
    watchers: dict[str, "asyncpg.Connection[asyncpg.Record]"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def waiting(self) -> int:
        """Events that have not been published, or not been taken in by some service."""
        counts = [
            await connection.fetchval(_BEHIND if name == BUS_DATABASE else "SELECT count(*) FROM outbox")
            for name, connection in self.watchers.items()
        ]
        return sum(map(int, counts))

    async def quiet(self, *, within_s: float = 120.0) -> None:
        """Wait until every event has had its effects."""

        async def nothing_waits() -> bool:
            return await self.waiting() == 0

        await eventually("all events to have their effects", nothing_waits, within_s=within_s)


@asynccontextmanager
async def suite_running(folder: Path) -> AsyncGenerator[RunningSuite]:
    """A suite for as long as the block lasts; afterwards `lags` tells how its event loop fared."""
    home = Home(folder / "home")
    process = await asyncio.to_thread(_start, folder, home)
    try:
        async with AsyncExitStack() as stack:
            yield await _entered(stack, home, process)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, _DOWN_WITHIN_S)


def lags(folder: Path) -> list[tuple[float, float]]:
    """Moments and how late the suite's event loop was at each, in seconds, once the suite has stopped."""
    notes = array("d")
    notes.frombytes((folder / "lags").read_bytes())
    return list(zip(notes[::2], notes[1::2], strict=True))


def _start(folder: Path, home: Home) -> subprocess.Popen[bytes]:
    with (folder / "printed.txt").open("wb") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.bench.jobs.watched", "up", "--quiet"],
            env=os.environ
            | {"PORT": "0", "CRM_HOME": str(home.folder), "LAG_FILE": str(folder / "lags"), "LOG_LEVEL": "WARNING"},
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )


async def _entered(stack: AsyncExitStack, home: Home, process: subprocess.Popen[bytes]) -> RunningSuite:
    async def announced() -> bool:
        if process.poll() is not None:
            raise ChildProcessError(f"the suite did not start; see {home.log}")
        return "url" in (home.running() or {})

    await eventually("the suite to start", announced, within_s=_UP_WITHIN_S)
    facts = home.running() or {}
    access = facts["access"]
    door = await stack.enter_async_context(Door.opened(facts["url"], access["api_key"], agent="crm-bench"))
    server = Server(EmbeddedPostgres(home.postgres))
    watchers: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
    for name in (*NAMES, BUS_DATABASE):
        watchers[name] = await asyncpg.connect(server.postgres.url(database_of(name)))
        stack.push_async_callback(watchers[name].close)
    return RunningSuite(home, process, door, facts["url"], facts["mail"], access["slug"], access["api_key"], watchers)
