"""One key, many requests, through the real server with its real pool: one effect, whatever is killed meanwhile."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from sqlalchemy import func, insert, select

from crm_shared.db.idempotency import KEPT_FOR, forget_old_keys
from crm_shared.errors import InFlight
from crm_shared.ids import new_id
from crm_shared.testing.broker import free_port
from crm_shared.testing.bus import until
from crm_shared.testing.kit import SIGNER, ServiceKit
from crm_shared.testing.probe.app import note

SAME = 50


@dataclass
class Api:
    """The probe's api in a process of its own, over the kit's database."""

    kit: ServiceKit
    log: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes]" = field(init=False)

    async def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.kit.urls.app,
            "INTERNAL_JWKS": orjson.dumps(SIGNER.public_jwks()).decode(),
            "PORT": str(self.port),
        }
        with self.log.open("ab") as log:
            script = Path(__file__).with_name("probe_process.py")
            self.process = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=log, stderr=log)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
            await until(lambda: self._answers(client))

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return (await client.get("/readyz")).is_success
        except httpx.TransportError:
            return False

    async def kill(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    @asynccontextmanager
    async def client(self, tenant: UUID, *, subject: str = "usr_test") -> AsyncGenerator[httpx.AsyncClient]:
        token = SIGNER.sign(self.kit.viewer(tenant, subject=subject), audience="probe", now=datetime.now(UTC))
        limits = httpx.Limits(max_connections=SAME + 10)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"authorization": f"Bearer {token}"},
            limits=limits,
            timeout=60,
        ) as client:
            yield client


@pytest.fixture(scope="module")
async def api(kit: ServiceKit, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    api = Api(kit, tmp_path_factory.mktemp("api") / "log")
    await api.start()
    yield api
    await api.kill()


@asynccontextmanager
async def held_up(kit: ServiceKit, tenant: UUID, title: str) -> AsyncGenerator[None]:
    """Whoever writes a note of this title waits, until the block ends and the title is free again."""
    with pytest.raises(_Enough):
        async with kit.transaction(tenant) as tx:
            values = {"tenant_id": tenant, "id": new_id(), "version": 1, "title": title, "created_at": func.now()}
            await tx.run(insert(note).values(values))
            yield
            raise _Enough


class _Enough(Exception):
    pass


async def waiting(kit: ServiceKit) -> int:
    """How many commands wait for somebody else's transaction in the kit's database."""
    connection = await asyncpg.connect(kit.urls.admin)
    try:
        return await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND wait_event = 'transactionid'"
        )
    finally:
        await connection.close()


async def titles(kit: ServiceKit, tenant: UUID) -> list[str]:
    async with kit.transaction(tenant) as tx:
        return [row["title"] for row in await tx.all(select(note.c.title).order_by(note.c.id))]


async def persist(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask again for as long as the same request is still running."""

    async def settled() -> httpx.Response | None:
        answer = await ask()
        if answer.status_code == 409:
            assert (answer.json()["code"], answer.headers["retry-after"]) == ("request_in_flight", "1")
            return None
        return answer

    return await until(settled)


async def test_fifty_at_once_have_one_effect_and_leave_the_pool_free(kit: ServiceKit, api: Api) -> None:
    tenant = kit.tenant()
    async with api.client(tenant) as client:

        async def send() -> httpx.Response:
            return await client.post("/v1/notes", json={"title": "slow"}, headers={"Idempotency-Key": "fifty"})

        async with held_up(kit, tenant, "slow"):
            sent = [asyncio.create_task(send()) for _ in range(SAME)]
            # All but the one that works are refused at once, while it still waits in the database.
            refused: set[asyncio.Task[httpx.Response]] = set()
            while len(refused) < SAME - 1:
                refused, _ = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED, timeout=30)
                assert refused, "nobody was refused"
                refused = {task for task in sent if task.done()}
                await asyncio.sleep(0)
            others = await asyncio.gather(*(client.get("/v1/notes") for _ in range(20)))
            assert {answer.status_code for answer in others} == {200}
            assert sum(task.done() for task in sent) == SAME - 1, "the slow one was still in flight"
            assert {task.result().status_code for task in refused} == {409}
        first = next(task for task in sent if task not in refused)
        answers = [await first, *await asyncio.gather(*(persist(send) for _ in refused))]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None] + ["true"] * (SAME - 1)
    assert await titles(kit, tenant) == ["slow"]
    assert len(await kit.events(tenant)) == 1


async def test_a_kill_amid_the_command_leaves_no_half_and_the_repeat_does_it_once(kit: ServiceKit, api: Api) -> None:
    tenant = kit.tenant()

    async def send() -> httpx.Response:
        async with api.client(tenant) as client:
            return await client.post("/v1/notes", json={"title": "killed"}, headers={"Idempotency-Key": "once"})

    async with held_up(kit, tenant, "killed"):
        lost = asyncio.create_task(send())
        await until(lambda: waiting(kit))
        await api.kill()
        with pytest.raises(httpx.TransportError):
            await lost
        await api.start()
        early = await send()  # the database hasn't noticed yet that nobody waits for the first one any more
        assert (early.status_code, early.json()["code"]) == (409, "request_in_flight")
    answer = await persist(send)
    again = await send()
    assert (answer.status_code, again.status_code, again.content) == (201, 201, answer.content)
    assert await titles(kit, tenant) == ["killed"]
    assert len(await kit.events(tenant)) == 1


async def test_a_kill_between_commit_and_answer_is_answered_by_the_repeat(kit: ServiceKit, api: Api) -> None:
    tenant = kit.tenant()

    async def send() -> httpx.Response:
        async with api.client(tenant) as client:
            return await client.post("/v1/notes", json={"title": "done"}, headers={"Idempotency-Key": "once"})

    sent = asyncio.create_task(send())
    await until(lambda: titles(kit, tenant))
    await api.kill()  # as soon as the commit is seen; whether the answer got out is chance
    answered = (await asyncio.gather(sent, return_exceptions=True))[0]
    await api.start()
    answer = await persist(send)
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert isinstance(answered, httpx.TransportError) or answered.content == answer.content
    assert await titles(kit, tenant) == ["done"]
    assert len(await kit.events(tenant)) == 1


async def post(client: httpx.AsyncClient, title: str, key: str, **headers: str) -> Any:
    return await client.post("/v1/notes", json={"title": title}, headers={"Idempotency-Key": key, **headers})


async def test_another_body_under_the_same_key_is_refused_and_does_nothing(kit: ServiceKit, api: Api) -> None:
    tenant = kit.tenant()
    async with api.client(tenant) as client:
        assert (await post(client, "one", "k")).status_code == 201
        other = await post(client, "two", "k")
        problem = other.json()
        assert (other.status_code, problem["code"]) == (422, "idempotency_key_reused")
        assert problem["errors"][0]["pointer"] == "header:Idempotency-Key"
    assert await titles(kit, tenant) == ["one"]


async def test_others_may_use_the_same_key(kit: ServiceKit, api: Api) -> None:
    """Another principal, another tenant, another address: other requests."""
    tenant, elsewhere = kit.tenant(), kit.tenant()
    async with (
        api.client(tenant) as first,
        api.client(tenant, subject="usr_other") as second,
        api.client(elsewhere) as third,
    ):
        answers = [await post(first, "one", "k"), await post(second, "two", "k"), await post(third, "one", "k")]
        changed = await first.patch(
            answers[0].headers["location"], json={"title": "three"}, headers={"Idempotency-Key": "k", "If-Match": '"1"'}
        )
    assert [answer.status_code for answer in (*answers, changed)] == [201, 201, 201, 200]
    assert (await titles(kit, tenant), await titles(kit, elsewhere)) == (["three", "two"], ["one"])


async def test_a_refused_request_may_be_mended_under_its_key(kit: ServiceKit, api: Api) -> None:
    tenant = kit.tenant()
    async with api.client(tenant) as client:
        await post(client, "taken", "a")
        assert (await post(client, "taken", "b")).status_code == 409
        assert (await post(client, "free", "b")).status_code == 201


async def test_a_key_whose_window_is_over_is_free_again(kit: ServiceKit, api: Api) -> None:
    tenant, now = kit.tenant(), datetime.now(UTC)
    async with api.client(tenant) as client:
        await post(client, "old", "k")
        await forget_old_keys(kit.worker, now=now + KEPT_FOR - timedelta(minutes=1))
        assert (await post(client, "new", "k")).json()["code"] == "idempotency_key_reused"
        assert await forget_old_keys(kit.worker, now=now + KEPT_FOR + timedelta(minutes=1)) >= 1
        assert (await post(client, "new", "k")).status_code == 201
    assert await titles(kit, tenant) == ["old", "new"]


@pytest.mark.parametrize("missed", ["claimed too early", "in flight"])
async def test_who_missed_the_answer_by_a_hair_is_given_it_and_not_a_refusal_by_its_own_effect(
    kit: ServiceKit, monkeypatch: pytest.MonkeyPatch, missed: str
) -> None:
    """The look for an answer and the lock are one statement, whose snapshot is older than the lock."""

    async def claim(tx: Any, key: Any) -> None:
        if missed == "in flight":
            raise InFlight("The same request is still running.")

    async with kit.client(kit.tenant()) as client:
        first = await post(client, "hair", "k")
        monkeypatch.setattr("crm_shared.http.call.claim", claim)
        again = await post(client, "hair", "k")
        other = await client.post("/v1/notes", json={"title": "hair", "price": None}, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert other.status_code == 409, "another request under the same key gets no answer that isn't its own"
