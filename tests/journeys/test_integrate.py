"""The programs of docs/integrate.md, run as they stand there."""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from crm_customer.app import SERVICE as CUSTOMER
from crm_shared.bus.kafka import KafkaBus
from crm_shared.bus.port import Record
from crm_shared.clock import SystemClock
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id
from crm_shared.runtime.working import working
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit

from .conftest import RunningSuite

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/integrate.md").read_text(encoding="utf-8")
PROGRAMS: dict[str, str] = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
WITHIN_S = 60


@dataclass
class Running:
    """A program of the page, and what it has printed."""

    process: "subprocess.Popen[bytes]"
    printed: Path

    def until(self, text: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while text not in self.printed.read_text():
            assert time.monotonic() < deadline, self.printed.read_text()
            assert self.process.poll() is None, self.printed.read_text()
            time.sleep(0.05)


@contextmanager
def started(command: list[str], folder: Path, environment: dict[str, str]) -> Generator[Running]:
    """A command for as long as the block lasts."""
    printed = folder / f"{time.monotonic_ns()}.txt"
    with printed.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=out, stderr=out)
    try:
        yield Running(process, printed)
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Any]:
    """Runs one of them, in a folder of its own that a second run finds again."""

    @contextmanager
    def run(name: str, **environment: str) -> Generator[Running]:
        (tmp_path / name).write_text(PROGRAMS[name])
        command = [sys.executable] if name.endswith(".py") else ["bash"]
        with started([*command, name], tmp_path, environment) as running:
            yield running

    return run


@dataclass(frozen=True)
class Company:
    """One of the running suite, as a system of its own sees it."""

    url: str
    key: str

    def register(self, name: str) -> str:
        headers = {"authorization": f"Bearer {self.key}"}
        answer = httpx.post(f"{self.url}/v1/customers", json={"display_name": name}, headers=headers, timeout=10)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    @property
    def environment(self) -> dict[str, str]:
        return {"CRM_URL": self.url, "CRM_KEY": self.key}


@pytest.fixture
def company(suite: RunningSuite) -> Company:
    return Company(suite.facts["url"], suite.facts["access"]["api_key"])


on_the_suite = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]
on_kafka = [pytest.mark.journey, pytest.mark.kafka, pytest.mark.xdist_group("kafka"), pytest.mark.timeout(240)]


def test_every_program_of_the_page_is_tried_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8") + "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_integrate_*.py")
    )
    assert [name for name in PROGRAMS if f'"{name}"' not in here] == []
    assert len(PROGRAMS) >= 6


class TestOnTheSuite:
    pytestmark = on_the_suite

    def test_pages_are_read_on_where_the_reader_stopped(self, company: Company, program: Any) -> None:
        with program("poll.py", **company.environment) as poll:
            first = company.register("Polled")
            poll.until(f"crm.customer.registered.v1 {first}")
        second = company.register("Polled later")
        with program("poll.py", **company.environment) as again:
            again.until(f"crm.customer.registered.v1 {second}")
            assert first not in again.printed.read_text()
        with program("look.sh", **company.environment) as look:
            look.until('"next_cursor"')

    def test_a_stream_tells_at_once(self, company: Company, program: Any) -> None:
        with program("stream.py", **company.environment) as stream, program("watch.sh", **company.environment) as watch:
            stream.until("listening")
            watch.until("retry: ")
            customer = company.register("Streamed")
            stream.until(f"crm.customer.registered.v1 {customer}")
            watch.until("event: crm.customer.registered.v1")

    def test_the_command_follows_lists_and_repeats(self, company: Company, tmp_path: Path) -> None:
        events = [sys.executable, "-m", "crm_suite", "events"]

        def ask(*words: str) -> str:
            settings = os.environ | company.environment
            done = subprocess.run(
                [*events, *words], env=settings, capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        before = datetime.now(UTC).isoformat()
        first = company.register("Before the tail")
        asked = ["--type", "crm.customer.registered.v1", "--type", "crm.customer.snapshot.v1"]
        with started([*events, "tail", *asked, "--from", before], tmp_path, company.environment) as tail:
            tail.until(first)
            second = company.register("Beside the tail")
            tail.until(second)
            listed = [orjson.loads(line) for line in ask("list", "--subject", second, "--json").splitlines()]
            assert [event["type"] for event in listed] == ["crm.customer.registered.v1"]
            assert orjson.loads(ask("replay", "customers", "--json"))["state"] == "succeeded"
            tail.until("crm.customer.snapshot.v1")
        refused = subprocess.run(
            [*events, "tail", "--type", "crm.nothing.*", "--url", company.url, "--key", company.key],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert refused.returncode == 1
        assert "crm.nothing.*" in refused.stderr


@pytest.fixture
async def customers(cluster: Cluster, kafka: str) -> AsyncIterator[ServiceKit]:
    """The customer service at work on a real Kafka."""
    async with ServiceKit.started(CUSTOMER, cluster) as kit:
        settings = kit.settings.model_copy(update={"bus_url": kafka})
        async with working(CUSTOMER, settings) as worker:
            kit.database.wakers.append(worker.wake)
            kit.clock.set(SystemClock().now())
            yield kit


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not true():
            await asyncio.sleep(0.05)


class TestOnKafka:
    pytestmark = on_kafka

    async def test_a_stranger_follows_customers_and_tells_of_their_purchases(
        self, customers: ServiceKit, kafka: str, program: Any, tmp_path: Path
    ) -> None:
        tenant, brokers = customers.tenant(), kafka.removeprefix("kafka://").partition("?")[0]
        outside = {"KAFKA": brokers, "TENANT": str(tenant), "GROUP": f"warehouse.{tenant}"}
        asyncapi = {"ASYNCAPI": str(ROOT / "services/customer/contracts/asyncapi.json")}
        async with aclosing(KafkaBus(kafka)) as bus, customers.client(tenant) as http:
            await bus.publish([tenant_created(tenant)])

            async def ask(method: str, path: str, **body: Any) -> Any:
                answer = await http.request(method, path, json=body or None)
                assert answer.is_success, answer.text
                return answer.json() if answer.content else None

            ada = (
                await ask("POST", "/v1/customers", display_name="Ada", external_source="web-shop", external_id="C-7")
            )["id"]
            bob = (await ask("POST", "/v1/customers", display_name="Bob"))["id"]
            eve = (await ask("POST", "/v1/customers", display_name="Eve"))["id"]
            with program("follow_customers.py", **outside, **asyncapi):
                await until(lambda: {ada, bob, eve} <= rows(tmp_path).keys())
                await ask("PATCH", f"/v1/customers/{ada}", display_name="Ada Lovelace")
                await ask("POST", f"/v1/customers/{ada}/merge", merged_id=bob, reason="the same")
                await ask("DELETE", f"/v1/customers/{eve}")
                expected = {ada: ("Ada Lovelace", None), bob: ("Bob", ada), eve: (None, None)}
                await until(lambda: rows(tmp_path) == expected)
                again = [
                    Record(each.topic, each.key, each.value)
                    async for each in bus.replay("crm.customer")
                    if str(tenant) in each.key
                ]
                await bus.publish(again)
                await ask("POST", "/v1/customers", display_name="Last")
                await until(lambda: "Last" in {name for name, _ in rows(tmp_path).values()})
                assert {key: value for key, value in rows(tmp_path).items() if key in expected} == expected
            for _ in range(2):
                with program("report_purchases.py", **outside, ORDER="1042", CUSTOMER="C-7") as report:
                    assert report.process.wait(WITHIN_S) == 0, report.printed.read_text()

            async def bought() -> int:
                return (await ask("GET", f"/v1/customers/{ada}/behaviour"))["purchases"]

            async with asyncio.timeout(WITHIN_S):
                while not await bought():
                    await asyncio.sleep(0.05)
            assert await bought() == 1


def rows(folder: Path) -> dict[str, tuple[str | None, str | None]]:
    """The stranger's table; nothing while the stranger has not made it: the file is there before the table is."""
    if not (folder / "customers.sqlite").exists():
        return {}
    with closing(sqlite3.connect(f"file:{folder}/customers.sqlite?mode=ro", uri=True)) as table:
        if not table.execute("SELECT 1 FROM sqlite_master WHERE name = 'customer'").fetchone():
            return {}
        return {key: (name, is_now) for key, name, is_now in table.execute("SELECT id, name, is_now FROM customer")}


def tenant_created(tenant: UUID) -> Record:
    """What the gateway says when a company comes."""
    envelope = Envelope(
        new_id(), "crm.tenant.created.v1", "gateway", public_id("ten", tenant), SystemClock().now(), tenant, tenant,
        0, 1, None, '{"name":"A company"}',
    )  # fmt: skip
    return Record("crm.tenant", envelope.key, envelope.to_bytes())
