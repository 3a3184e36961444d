"""A service killed by SIGKILL at random points loses nothing and applies nothing twice, over every adapter."""

import asyncio
import multiprocessing
import random
from collections import Counter, defaultdict
from multiprocessing.process import BaseProcess
from uuid import UUID

import asyncpg
import pytest

from crm_shared.ids import new_id
from crm_shared.testing.bus import Line, until
from crm_shared.testing.bus_service import Work, serve
from crm_shared.testing.probe.app import SERVICE

KILLS = 8
# Forked from a process that has imported everything, a service is up at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["crm_shared.testing.bus_service", "crm_shared.bus.postgres_log", "crm_shared.bus.kafka"])


class Killed:
    """Processes of one service, one after the other."""

    def __init__(self, line: Line, bus_url: str) -> None:
        self.line = line
        self.tenant = new_id()
        self.items = tuple(new_id() for _ in range(12))
        self._bus_url = bus_url

    async def start(self, seed: int | None) -> BaseProcess:
        hear, say = FORKS.Pipe(duplex=False)
        work = Work(
            SERVICE.name, *self.line.urls, self._bus_url, self.line.aggregate, self.tenant, self.items, seed
        )  # fmt: skip
        process = FORKS.Process(target=serve, args=(work, say), daemon=True)
        process.start()
        assert await asyncio.to_thread(hear.poll, 30)
        hear.close()
        say.close()
        return process

    async def kill(self, process: BaseProcess) -> None:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()

    async def written(self, count: int) -> None:
        async def enough() -> bool:
            return (await self.committed()).total() >= count

        await until(enough)

    async def committed(self) -> Counter[tuple[UUID, int]]:
        rows = await self.line.ask(0, "SELECT aggregate_id, number FROM committed")
        return Counter((row["aggregate_id"], row["number"]) for row in rows)


@pytest.fixture
async def killed(line: Line, bus_url: str) -> Killed:
    admin = await asyncpg.connect(line.urls[0].admin)
    await admin.execute("CREATE TABLE committed (aggregate_id uuid, number bigint); GRANT ALL ON committed TO PUBLIC")
    await admin.close()
    return Killed(line, bus_url)


async def test_the_ledger_of_effects_is_exact(killed: Killed, request: pytest.FixtureRequest) -> None:
    chance = random.Random(request.node.name)
    for nth in range(KILLS):
        before = (await killed.committed()).total()
        process = await killed.start(nth)
        await killed.written(before + chance.randrange(10, 150))
        await asyncio.sleep(chance.uniform(0, 0.05))  # anywhere between two commits
        await killed.kill(process)
    process = await killed.start(None)
    committed = await killed.committed()

    async def quiet() -> bool:
        return len(await killed.line.ledger()) >= committed.total() and await killed.line.outbox_empty()

    await until(quiet, within_s=60)
    await killed.kill(process)
    assert committed.total() > 10 * KILLS
    ledger = await killed.line.ledger()
    assert Counter((item, number) for item, _, number in ledger) == committed
    sequences: dict[UUID, list[int]] = defaultdict(list)
    for item, seq, _ in ledger:
        sequences[item].append(seq)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())
    assert await killed.line.ask(1, "SELECT 1 FROM consumer_key WHERE parked_at IS NOT NULL") == []
    assert await killed.line.ask(1, "SELECT 1 FROM parked") == []
    sums: Counter[UUID] = Counter()
    for item, _, number in ledger:
        sums[item] += number
    assert await killed.line.balances() == sums
