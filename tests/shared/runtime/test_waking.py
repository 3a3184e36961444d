"""Two real processes, an api and a worker: what one commits, the other publishes at once."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest

from crm_shared.bus.announcing import CHANNEL, announcing
from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import Subscription
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer
from crm_shared.testing.broker import free_port
from crm_shared.testing.bus import until
from crm_shared.testing.cluster import Cluster, Databases
from crm_shared.testing.kit import SIGNER
from crm_shared.testing.probe.app import SERVICE, NoteWritten

# The worker looks by itself after ten minutes: what it publishes before, it was told of.
PROGRAM = """
import crm_shared.bus.relay
from crm_shared.runtime import main
from crm_shared.testing.probe.app import SERVICE
crm_shared.bus.relay._POLL_S = crm_shared.bus.relay._IDLE_POLL_S = 600.0
main(SERVICE)
"""


@pytest.fixture(scope="module")
async def databases(cluster: Cluster) -> Databases:
    return await cluster.database(SERVICE.schema)


@pytest.fixture(scope="module")
async def bus_url(cluster: Cluster) -> str:
    return await cluster.bare()


@contextmanager
def process(part: str, folder: Path, settings: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / f"{part}.log").open("wb") as log:
        started = subprocess.Popen([sys.executable, "-c", PROGRAM, part], env=settings, stdout=log, stderr=log)
    yield started
    started.terminate()
    started.wait(30)


@pytest.fixture
async def published(bus_url: str) -> AsyncIterator[Subscription]:
    bus = await open_bus(bus_url)
    await bus.ensure_topics(SERVICE.topics_published)
    subscription = await bus.subscribe(f"crm.test-{new_id().hex}", SERVICE.topics_published)
    yield subscription
    await subscription.aclose()
    await bus.aclose()


async def test_a_commit_of_an_api_wakes_the_worker_in_another_process(
    databases: Databases, bus_url: str, published: Subscription, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": databases.app,
        "WORKER_DATABASE_URL": databases.worker,
        "BUS_URL": bus_url,
        "INTERNAL_JWKS": orjson.dumps(SIGNER.public_jwks()).decode(),
        "CURSOR_SECRET": "of this test",
        "PORT": str(port),
    }
    viewer = Viewer(new_id(), "usr_test", scopes=frozenset({"notes:read", "notes:write"}))
    token = SIGNER.sign(viewer, audience=SERVICE.name, now=datetime.now(UTC))
    with process("worker", tmp_path, settings), process("api", tmp_path, settings):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await until(lambda: _ready(http))
            await until(lambda: _listens(databases))
            for number in range(2):
                body, headers = {"title": f"Note {number}"}, {"authorization": f"Bearer {token}"}
                answer = await http.post("/v1/notes", json=body, headers=headers)
                assert answer.status_code == 201, answer.text
                await until(lambda: _fetched(published))


async def _ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).is_success
    except httpx.TransportError:
        return False


async def _listens(databases: Databases) -> bool:
    """Whether the worker has begun to listen, and so will hear what comes."""
    connection = await asyncpg.connect(databases.admin)
    try:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crm-relay-probe' AND query LIKE $1"
        idle = "%FROM unnest($1::smallint[]) AS held%"
        return bool(await connection.fetchval(asked, idle))
    finally:
        await connection.close()


async def _fetched(published: Subscription) -> bool:
    return any(record.headers["ce_type"] == NoteWritten.TYPE for record in await published.fetch(10, 0.5))


def _as_said(heard: list[str]) -> Callable[[], Awaitable[bool]]:
    async def said() -> bool:
        return bool(heard)

    return said


async def test_many_commits_are_few_announcements_and_an_ended_session_ends_none(databases: Databases) -> None:
    heard: list[str] = []
    listener = await asyncpg.connect(databases.admin)
    await listener.add_listener(CHANNEL, lambda *told: heard.append(told[2]))
    database = await Database.open(databases.app, SERVICE.name, size=1, flush=flush_outbox)
    async with announcing(database, databases.app):
        for _ in range(500):
            for wake in database.wakers:
                wake()
        await until(_as_said(heard))
        assert len(heard) < 5
        await listener.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crm-announcing-probe'"
        )
        heard.clear()

        async def again() -> bool:
            for wake in database.wakers:
                wake()
            return bool(heard)

        await until(again)
    assert database.wakers == []
    await listener.close()
    await database.close()
