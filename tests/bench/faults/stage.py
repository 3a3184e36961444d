"""Where a row is played: an adapter of the bus, databases, and the servers that a fault may take away."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.bench.run import Run

from crm_shared.bus.opening import open_bus
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.ids import new_id
from crm_shared.observability.logs import configure_logs
from crm_shared.testing.broker import Broker
from crm_shared.testing.bus import Line, laid_line
from crm_shared.testing.bus_process import Service
from crm_shared.testing.bus_service import Work
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE

KAFKA_SESSION_S = 3
"""So soon a silent member's partitions go to another; 15 s unless a URL says otherwise."""
LOG_SESSION_S = 2.0


JARS = Path(__file__).parents[3] / ".cache" / "kafka"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each fault: `SHORT` proves the rows, `LONG` is the table's own measure."""

    kills: int
    down_s: float
    load_s: float
    stopped_s: float
    restarts: int
    items: int
    idle_at_most_s: float


SHORT = Scale(kills=3, down_s=1.0, load_s=1.0, stopped_s=4.0, restarts=1, items=100, idle_at_most_s=1.0)
LONG = Scale(kills=100, down_s=30.0, load_s=10.0, stopped_s=60.0, restarts=5, items=400, idle_at_most_s=5.0)


@dataclass(frozen=True, slots=True)
class Server:
    """A bus's server that may be killed and started again; both return when it is done."""

    url: str
    kill: Callable[[], None]
    start: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """One adapter with a PostgreSQL server for the services' databases; `folder` takes what a row needs of its own."""

    adapter: str
    cluster: Cluster
    bus_url: str
    folder: Path
    scale: Scale

    def static(self, name: str) -> str:
        """The bus's URL for a member that keeps its place in the group when it is started again."""
        return f"{self.bus_url}&group_instance_id={name}" if self.adapter == "kafka" else self.bus_url

    @asynccontextmanager
    async def line(self, *, bus_url: str = "") -> AsyncGenerator["Played"]:
        """A line over this adapter, and the tenant and keys that the row writes about."""
        url = bus_url or self.bus_url
        bus = await open_bus(url)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(bus.aclose)
            line = await stack.enter_async_context(laid_line(self.cluster, SERVICE.schema, bus))
            yield Played(self, line, url, new_id(), tuple(new_id() for _ in range(self.scale.items)), stack)

    @asynccontextmanager
    async def own_server(self) -> AsyncGenerator[Server]:
        """A bus of the row's own, to be killed."""
        folder = self.folder / f"own-{self.adapter}-{new_id().hex[-8:]}"
        if self.adapter == "log":
            # What it has acknowledged is written; only the wait for the disk itself is spared.
            postgres = EmbeddedPostgres(folder / "pg", careless=True, settings={"synchronous_commit": "on"})
            await asyncio.to_thread(postgres.start)
            server, end = Server(postgres.url(), lambda: crash(postgres), postgres.start), postgres.stop
        else:
            broker = Broker(JARS, folder / "kafka")
            await asyncio.to_thread(broker.prepare)
            await asyncio.to_thread(broker.start)
            server, end = Server(kafka_url(broker.url), broker.kill, broker.start), broker.stop
        try:
            yield server
        finally:
            await asyncio.to_thread(end)
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def stages(run: Run, scale: Scale) -> AsyncGenerator[list[Stage]]:
    """Every adapter, on servers of the benchmark's own; what their clients log about faults is no news."""
    configure_logs("CRITICAL")
    cluster = await asyncio.to_thread(Cluster.start)
    broker = Broker(JARS, run.folder / "kafka")
    try:
        with run.steps.step("Kafka"):
            await asyncio.to_thread(broker.prepare)
            await asyncio.to_thread(broker.start)
        urls = {"log": await cluster.bare(), "kafka": kafka_url(broker.url)}
        yield [Stage(adapter, cluster, url, run.folder, scale) for adapter, url in urls.items()]
    finally:
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(cluster.stop)


def crash(server: EmbeddedPostgres) -> None:
    """Shut PostgreSQL down at once, without a checkpoint: it recovers at its next start."""
    pid = int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGQUIT)
    server.stop()  # waits


def kafka_url(url: str) -> str:
    """Where Kafka is, for members whose silence is noticed soon."""
    return f"{url}?session_timeout_s={KAFKA_SESSION_S}"


@dataclass(frozen=True, slots=True)
class Played:
    """A line during one row."""

    stage: Stage
    line: Line
    url: str
    tenant: UUID
    items: tuple[UUID, ...]
    stack: AsyncExitStack

    async def start(self, **more: Any) -> Service:
        """A process of this line, which doesn't outlive it; it relays and consumes unless `more` says otherwise."""
        plain = Work(
            SERVICE.name, *self.line.urls, self.url, self.line.aggregate, self.tenant, self.items,
            session_s=LOG_SESSION_S, idle_at_most_s=self.stage.scale.idle_at_most_s,
        )  # fmt: skip
        service = await Service.start(replace(plain, **more))
        self.stack.push_async_callback(service.killed)
        return service
