"""A database server that keeps what it has committed, and what its processes cost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.testing.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with its disk; tests' own servers don't wait for theirs."""

    cluster: Cluster
    process: psutil.Process

    def cpu_s(self) -> float:
        """Processor seconds of the server and all its backends so far."""
        total = 0.0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total


@asynccontextmanager
async def server(folder: Path) -> AsyncGenerator[Server]:
    """A fresh server in an empty folder."""
    cluster = Cluster(EmbeddedPostgres(folder / "pg"))
    await asyncio.to_thread(cluster.server.start)
    try:
        pid = (cluster.server.data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0]
        yield Server(cluster, psutil.Process(int(pid)))
    finally:
        await asyncio.to_thread(cluster.stop)
