"""The bus goes away under those who use it, and comes back; on servers of the test's own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import BusError, BusUnavailable, Record
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.testing.broker import Broker
from crm_shared.testing.bus import until

from .conftest import ADAPTERS, KAFKA_SESSION_S, Names


@dataclass(slots=True)
class Server:
    url: str
    crash: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture(params=ADAPTERS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="crm-restart-"))
    if request.param == "log":
        postgres = EmbeddedPostgres(folder / "pg", careless=True)
        await asyncio.to_thread(postgres.start)
        yield Server(postgres.url(), postgres.stop, postgres.start)
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder, ignore_errors=True)
        return
    request.getfixturevalue("kafka")  # skips where no broker can be started, and has fetched the jars
    broker = Broker(Path(__file__).parents[3] / ".cache" / "kafka", folder / "kafka")
    await asyncio.to_thread(broker.prepare)
    await asyncio.to_thread(broker.start)
    yield Server(f"{broker.url}?session_timeout_s={KAFKA_SESSION_S}", broker.kill, broker.start)
    await asyncio.to_thread(broker.stop)
    shutil.rmtree(folder, ignore_errors=True)


async def test_nothing_acknowledged_is_lost_and_members_go_on(server: Server, names: Names) -> None:
    bus = await open_bus(server.url)
    await bus.ensure_topics(names.topics(1))
    acknowledged: list[int] = []
    stop = asyncio.Event()

    async def publish() -> None:
        number = 0
        while not stop.is_set():
            try:
                await bus.publish([Record(names.topic(), f"key-{number % 5}", str(number).encode())])
            except BusUnavailable:
                await asyncio.sleep(0.05)
                continue
            acknowledged.append(number)
            number += 1
            await asyncio.sleep(0.002)

    publishing = asyncio.create_task(publish())
    member = await bus.subscribe(names.group, names.topics(1))
    seen: list[int] = []

    async def read(more_than: int) -> bool:
        try:
            batch = await member.fetch(500, 0.2)
            seen.extend(int(record.value) for record in batch)
            await member.acknowledge(batch)
        except BusError:
            await asyncio.sleep(0.05)
        return len(set(seen)) > more_than

    await until(lambda: read(20))
    before = len(set(seen))
    await asyncio.to_thread(server.crash)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(server.start)
    await until(lambda: read(before + 50))
    stop.set()
    await publishing
    await until(lambda: read(len(acknowledged) - 1))
    assert set(acknowledged) <= set(seen)
    for key in range(5):
        firsts = list(dict.fromkeys(number for number in seen if number % 5 == key))
        assert firsts == sorted(firsts)
    await member.aclose()
    await bus.aclose()


async def test_closing_releases_who_waits_for_a_bus_that_is_away(server: Server, names: Names) -> None:
    bus = await open_bus(server.url)
    await bus.ensure_topics(names.topics(1))
    await bus.publish([Record(names.topic(), "k", b"")])
    await asyncio.to_thread(server.crash)
    waiting = asyncio.create_task(bus.publish([Record(names.topic(), "k", b"")]))
    await asyncio.sleep(0.2)
    started = asyncio.get_running_loop().time()
    await bus.aclose()
    with pytest.raises(BusUnavailable):
        await waiting
    assert asyncio.get_running_loop().time() - started < 12
