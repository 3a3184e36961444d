"""Work that nobody waits for gives way, on a busy processor, to whoever answers requests.

That is the second process, and those of the embedded server's that serve it. Linux may weigh sessions before it weighs
the processes within one (sched(7), autogroup), and each process of the server is a session of its own: without a word
to its session, a job's query has as much of a processor as everything that answers requests.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from crm_shared.db.embedded import EmbeddedPostgres

NICENESS = 10
"""A ninth of a processor's time beside somebody who wants all of it; all of it beside nobody (setpriority(2))."""
_LOOK_EVERY_S = 0.5
_PROC = Path("/proc")


def give_way(pid: int) -> bool:
    """Has a process, and the session that it leads, give way; says whether it worked, as it may later if not now."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
        session = _PROC / str(pid) / "autogroup"
        if session.exists():
            session.write_text(str(NICENESS))
    except OSError:  # it has gone, or the system takes only so many a second from us
        return False
    return True


class Backends:
    """The server's processes that serve these roles."""

    def __init__(self, postgres: EmbeddedPostgres, roles: Collection[str]) -> None:
        self._postgres = postgres
        self._roles = frozenset(roles)
        self._settled: set[int] = set()

    def look(self) -> None:
        """Has those give way that came since the last look."""
        there = self._there()
        self._settled &= there
        for pid in there - self._settled:
            role = _role(pid)
            if role is not None and (role not in self._roles or give_way(pid)):
                self._settled.add(pid)

    def _there(self) -> set[int]:
        server = self._postgres.pid
        with suppress(OSError):  # only Linux tells
            return {int(pid) for pid in (_PROC / f"{server}/task/{server}/children").read_text().split()}
        return set()


def _role(pid: int) -> str | None:
    """Whom a process of the server serves, by its title: `postgres: ROLE DATABASE …`. None: that is not said yet."""
    with suppress(OSError, IndexError):
        return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split()[1]
    return None


@asynccontextmanager
async def giving_way(postgres: EmbeddedPostgres, roles: Collection[str]) -> AsyncGenerator[None]:
    """The server's processes that serve these roles give way for as long as the block lasts."""
    backends = Backends(postgres, roles)

    async def watch() -> None:
        while True:
            backends.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    watching = asyncio.create_task(watch(), name="priority")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
