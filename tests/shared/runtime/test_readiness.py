"""Alive is not ready: with its database really stopped a process lives on, and says which part of it isn't well."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from crm_shared.runtime.serving import make_app
from crm_shared.runtime.side_door import side_door
from crm_shared.runtime.working import working
from crm_shared.settings import ServiceSettings
from crm_shared.testing.broker import free_port
from crm_shared.testing.cluster import Cluster, Databases
from crm_shared.testing.kit import SIGNER
from crm_shared.testing.probe.app import SERVICE

FRESH = httpx.Limits(max_keepalive_connections=0)


@pytest.fixture
async def server() -> AsyncIterator[Cluster]:
    """A server that may be stopped."""
    started = await asyncio.to_thread(Cluster.start)
    yield started
    await asyncio.to_thread(started.stop)


def settings_of(urls: Databases, bus: str) -> ServiceSettings:
    return ServiceSettings(
        database_url=urls.app, worker_database_url=urls.worker, bus_url=bus, internal_jwks=SIGNER.public_jwks()
    )


async def parts_of(http: httpx.AsyncClient, *, ready: bool) -> dict[str, Any]:
    """What each part says, as soon as the whole is, or isn't, ready."""
    async with asyncio.timeout(30):
        while True:
            answer = await http.get("/readyz")
            assert answer.status_code == (200 if answer.json()["ready"] else 503)
            if answer.json()["ready"] is ready:
                return answer.json()["parts"]
            await asyncio.sleep(0.05)


async def test_a_stopped_database_makes_processes_unready_but_not_dead(server: Cluster):
    settings = settings_of(await server.database(SERVICE.schema), await server.bare())
    app, port = make_app(SERVICE, settings), free_port()
    async with (
        app.router.lifespan_context(app),
        working(SERVICE, settings) as worker,
        side_door("127.0.0.1", port, worker.checks),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as api,
        # A connection that rests while the database stops may be closed as it is taken up again.
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, limits=FRESH) as beside,
    ):
        assert (await parts_of(api, ready=True)).keys() == {"database", "migrations", "event_loop"}
        assert {"database", "migrations", "bus", "event_loop"} <= (await parts_of(beside, ready=True)).keys()
        await asyncio.to_thread(server.server.stop)
        of_api, of_worker = await parts_of(api, ready=False), await parts_of(beside, ready=False)
        assert of_api["database"] != "ok"
        assert of_worker["database"] != "ok"
        assert of_worker["bus"] != "ok"
        assert of_api["event_loop"] == of_worker["event_loop"] == "ok"
        for http in (api, beside):
            assert (await http.get("/livez")).status_code == 200
            assert (await http.get("/metrics")).status_code == 200
        await asyncio.to_thread(server.server.start)
        await parts_of(api, ready=True)
        await parts_of(beside, ready=True)


async def test_a_database_that_is_older_than_the_code_is_named(cluster: Cluster):
    urls = await cluster.database(SERVICE.schema)
    admin = await asyncpg.connect(urls.admin)
    await admin.execute("UPDATE alembic_version SET version_num = 'kernel_0001' WHERE version_num LIKE 'kernel%'")
    app = make_app(SERVICE, settings_of(urls, ""))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as api,
    ):
        parts = await parts_of(api, ready=False)
        assert parts["database"] == "ok"
        assert parts["migrations"].startswith("NotReady: lacks kernel_")
        await admin.execute(f"UPDATE alembic_version SET version_num = '{parts['migrations'].split()[-1]}' "
                            "WHERE version_num LIKE 'kernel%'")  # fmt: skip
        await parts_of(api, ready=True)
    await admin.close()


async def test_a_worker_shows_what_waits_in_its_database(cluster: Cluster):
    settings = settings_of(await cluster.database(SERVICE.schema), await cluster.bare())
    port = free_port()
    async with (
        working(SERVICE, settings) as worker,
        side_door("127.0.0.1", port, worker.checks),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
        asyncio.timeout(30),
    ):
        while True:
            shown = (await http.get("/metrics")).text
            families = {family.name: family for family in text_string_to_metric_families(shown)}
            named = {
                sample.labels.get("service")
                for family in ("crm_outbox_rows", "crm_parked_keys", "crm_due_rows", "crm_operations_unfinished")
                for sample in families[family].samples
            }
            if SERVICE.name in named:
                break
            await asyncio.sleep(0.05)
