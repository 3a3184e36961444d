"""PostgreSQL is restarted as by a crash, under services and bus alike: what was answered is kept and applied once."""

import asyncio
import os
import signal
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from crm_shared.bus.opening import open_bus
from crm_shared.db.away import AWAY
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.ids import new_id
from crm_shared.testing.bus import Line, laid_line, until
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE


@pytest.fixture
async def own_cluster() -> AsyncIterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="crm-test-"))
    # A commit is written before it is answered; only the wait for the disk itself is spared.
    server = EmbeddedPostgres(folder / "pg", careless=True, settings={"synchronous_commit": "on"})
    await asyncio.to_thread(server.start)
    cluster = Cluster(server)
    yield cluster
    await asyncio.to_thread(cluster.stop)


def crash(cluster: Cluster) -> None:
    pid = int((cluster.server.data / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGQUIT)  # immediate shutdown: no checkpoint, recovery at the next start
    cluster.server._wait_gone(pid)


async def write(line: Line, tenant: UUID, items: list[UUID], committed: Counter[UUID], stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        item = items[number % len(items)]
        number += 1
        try:
            await line.emit(tenant, item, number)
        except (*AWAY, asyncpg.PostgresError):
            await asyncio.sleep(0.02)
            continue
        committed[item] += 1
        await asyncio.sleep(0.003)


async def test_every_answered_write_is_applied_once_and_in_order(own_cluster: Cluster) -> None:
    bus = await open_bus(await own_cluster.bare())
    async with laid_line(own_cluster, SERVICE.schema, bus) as line:
        line.count_in_ledger()
        line.begin(line.relay())
        line.begin(line.consumer())
        committed: Counter[UUID] = Counter()
        items = [new_id() for _ in range(6)]
        stop = asyncio.Event()
        writers = [asyncio.create_task(write(line, new_id(), items, committed, stop))]

        async def written(count: int) -> bool:
            return committed.total() >= count

        await until(lambda: written(50))
        await asyncio.to_thread(crash, own_cluster)
        await asyncio.to_thread(own_cluster.server.start)
        before = committed.total()
        await until(lambda: written(before + 50))
        stop.set()
        await asyncio.gather(*writers)

        async def quiet() -> bool:
            return await line.outbox_empty() and len(await line.ledger()) >= committed.total()

        await until(quiet)
        sequences: dict[UUID, list[int]] = defaultdict(list)
        for item, seq, _ in await line.ledger():
            sequences[item].append(seq)
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())
        # A commit whose answer was lost in the crash may have happened: one for the one writer.
        assert 0 <= len(await line.ledger()) - committed.total() <= 1
    await bus.aclose()
