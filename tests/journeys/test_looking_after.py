"""What an operator does to an installation: events that wait, a backup, a restore; by the command, as typed."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.ids import new_id
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import Home
from crm_suite.topology import BUS_DATABASE, NAMES, database_of

from .conftest import RunningSuite, start_suite, wait_until_up

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]

SALES = "sales-pipeline"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="crm-journey-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def crm(home: Home, *words: str, code: int = 0) -> str:
    """What the command says; its exit code is checked."""
    done = subprocess.run(
        [sys.executable, "-m", "crm_suite", *words],
        env=os.environ | {"CRM_HOME": str(home.folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, (words, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@asynccontextmanager
async def database(home: Home, service: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(Server(EmbeddedPostgres(home.postgres)).postgres.url(database_of(service)))
    try:
        yield connection
    finally:
        await connection.close()


async def tenant_of(suite: RunningSuite) -> UUID:
    async with database(suite.home, "gateway") as connection:
        return await connection.fetchval("SELECT tenant_id FROM tenant WHERE slug = 'corkscrew'")


def client(suite: RunningSuite) -> httpx.Client:
    headers = {"authorization": f"Bearer {suite.facts['access']['api_key']}"}
    return httpx.Client(base_url=suite.facts["url"], headers=headers, timeout=30)


def new_customer(http: httpx.Client, name: str) -> str:
    person = {"kind": "person", "category": "consumer", "given_name": name, "family_name": "Hopper"}
    answer = http.post("/v1/customers", json=person)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def arrived(home: Home, count: int, within_s: float = 30) -> None:
    """Wait until sales knows this many customers."""
    deadline = time.monotonic() + within_s
    async with database(home, SALES) as connection:
        while (known := await connection.fetchval("SELECT count(*) FROM customer")) < count:
            assert time.monotonic() < deadline, f"{known} of {count} customers reached sales"
            await asyncio.sleep(0.05)


class TestParked:
    async def test_a_key_that_waits_is_listed_retried_in_vain_and_skipped_with_a_reason(
        self, suite: RunningSuite
    ) -> None:
        tenant, item = await tenant_of(suite), new_id()
        key = f"customer:{item}"
        async with database(suite.home, SALES) as connection:
            await connection.execute(
                "INSERT INTO consumer_key (tenant_id, key, epoch, seq, parked_at, reason, error, next_at) "
                "VALUES ($1, $2, 0, 1, now(), 'gap', NULL, now() + interval '1 hour')",
                tenant, key,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO parked (tenant_id, key, epoch, seq, event_id, type, topic, part, off, raw, headers) "
                "VALUES ($1, $2, 0, 4, $3, 'crm.customer.nothing.v1', 'crm.customer', 0, 9, '', '{}')",
                tenant, key, new_id(),
            )  # fmt: skip
        listed = orjson.loads(crm(suite.home, "events", "parked", "list", "--json"))
        assert [(one["service"], one["key"], one["reason"]) for one in listed["items"]] == [(SALES, key, "gap")]
        assert key in crm(suite.home, "events", "parked", "list")
        assert "still waits" in crm(suite.home, "events", "parked", "retry", SALES, key, code=1)
        skipped = crm(suite.home, "events", "parked", "skip", SALES, key, "--reason", "made up by a test", "--json")
        assert orjson.loads(skipped)["sequence"] == 3
        deadline = time.monotonic() + 20
        while orjson.loads(crm(suite.home, "events", "parked", "list", "--json"))["items"]:
            assert time.monotonic() < deadline
        async with database(suite.home, SALES) as connection:
            acts = await connection.fetch("SELECT action, reason FROM parking_audit WHERE key = $1 ORDER BY id", key)
        assert [tuple(act) for act in acts] == [("retry", "retry"), ("skip", "made up by a test")]

    def test_what_can_not_be_done_is_said_with_what_to_do(self, suite: RunningSuite, place: Path) -> None:
        gone = ("events", "parked", "inspect", SALES, f"customer:{new_id()}")
        assert "`crm events parked list`" in crm(suite.home, *gone, code=1)
        assert "--key" in crm(suite.home, *gone, "--key", "crm_live_nobody", code=4)
        assert "crm up" in crm(Home(place / "empty"), "events", "parked", "list", code=3)
        nowhere = ("--url", "http://127.0.0.1:9")
        assert "crm doctor" in crm(suite.home, "events", "parked", "list", *nowhere, "--key", "any", code=3)
        assert "--key" in crm(suite.home, "events", "parked", "list", *nowhere, code=4)  # ours is not for others


async def checksums(home: Home) -> dict[str, tuple[int, str]]:
    """Rows and a checksum of every table of every database, whatever order they lie in."""
    found: dict[str, tuple[int, str]] = {}
    for service in (*NAMES, BUS_DATABASE):
        async with database(home, service) as connection:
            names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (name,) in names:
                row = await connection.fetchrow(
                    f'SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM "{name}" t'
                )
                found[f"{service}.{name}"] = tuple(row)
    return found


@asynccontextmanager
async def server_of(home: Home) -> AsyncIterator[None]:
    postgres = EmbeddedPostgres(home.postgres)
    await postgres.started()
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.stop)


class TestBackup:
    async def test_made_under_load_it_holds_all_that_was_told_done_and_goes_on_where_it_was(
        self, suite: RunningSuite, place: Path
    ) -> None:
        told: list[str] = []
        over = threading.Event()

        def write() -> None:
            with client(suite) as http:
                while not over.is_set():
                    told.append(new_customer(http, f"Nr{len(told)}"))

        writer = asyncio.create_task(asyncio.to_thread(write))
        while len(told) < 20:
            await asyncio.sleep(0.02)
        before = len(told)
        said = await asyncio.to_thread(crm, suite.home, "backup", str(place / "b.zip"))
        over.set()
        await writer
        assert "secrets" in said
        assert (place / "b.zip").stat().st_mode & 0o077 == 0
        assert "left alone" in crm(suite.home, "backup", str(place / "b.zip"), code=1)
        assert "stop it first" in crm(suite.home, "restore", str(place / "b.zip"), "--force", code=1)
        restored = Home(place / "home")
        crm(restored, "restore", str(place / "b.zip"))
        again = wait_until_up(place, start_suite(place))
        try:
            with client(again) as http:
                there = [http.get(f"/v1/customers/{one}").status_code for one in told[:before]]
                assert there == [200] * before
                new_customer(http, "After")
            async with database(restored, "customer") as connection:
                customers = await connection.fetchval("SELECT count(*) FROM customer")
                assert await connection.fetchval("SELECT max(epoch) FROM event_sequence") == 1
            await arrived(restored, customers)
            async with database(restored, SALES) as connection:
                assert await connection.fetchval("SELECT count(*) FROM consumer_key WHERE parked_at IS NOT NULL") == 0
                assert await connection.fetchval("SELECT max(epoch) FROM consumer_key") == 1
        finally:
            again.stop()

    async def test_of_a_stopped_suite_every_table_comes_back_as_it_was(self, place: Path) -> None:
        source, target = Home(place / "source"), Home(place / "target")
        started = start_suite(place, CRM_HOME=str(source.folder))
        running = RunningSuite(source, started, place / "printed.txt")
        while "url" not in (source.running() or {}):
            assert started.poll() is None, running.text()
            await asyncio.sleep(0.05)
        with client(running) as http:
            for number in range(5):
                new_customer(http, f"Nr{number}")
        await arrived(source, 5)
        running.stop()
        crm(source, "backup", str(place / "b.zip"))
        crm(target, "restore", str(place / "b.zip"))
        assert "--force" in crm(target, "restore", str(place / "b.zip"), code=1)
        torn = place / "torn.zip"
        whole = (place / "b.zip").read_bytes()
        torn.write_bytes(whole[: len(whole) // 2] + bytes(100) + whole[len(whole) // 2 + 100 :])
        assert "damaged" in crm(target, "restore", str(torn), "--force", code=1)
        async with server_of(source):
            expected = await checksums(source)
        async with server_of(target):
            found = await checksums(target)
        differing = {name for name in expected if expected[name] != found.get(name)}
        assert {name for name in differing if not name.endswith(".event_sequence")} == set()
        assert (source.recall("keys"), source.recall("access")) == (target.recall("keys"), target.recall("access"))
        assert sum(rows for rows, _ in expected.values()) > 20
