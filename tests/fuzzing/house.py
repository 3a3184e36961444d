"""The real gateway before the real services over real databases, on a port, in a thread with a loop of its own."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from crm_communication_dispatch.app import SERVICE as COMMUNICATION
from crm_contact_center.app import SERVICE as CONTACT_CENTER
from crm_customer.app import SERVICE as CUSTOMER
from crm_gateway.app import SERVICE as GATEWAY
from crm_gateway.gateway import create_gateway
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role
from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.settings import GatewaySettings
from crm_sales_pipeline.app import SERVICE as SALES
from crm_shared.bus.postgres_log import PostgresLog
from crm_shared.http.auth import TokenSigner
from crm_shared.runtime import Service
from crm_shared.runtime.serving import make_app
from crm_shared.runtime.working import working
from crm_shared.settings import ServiceSettings
from crm_shared.testing.cluster import Cluster
from crm_suite.allinone.serving import serving

os.environ.setdefault("WEBHOOK_KEYS", "guards nothing here")  # else webhooks would be answered with 503

BEHIND: list[Service] = [CUSTOMER, SALES, COMMUNICATION, CONTACT_CENTER]
PLENTY = 10**9


@dataclass(frozen=True, slots=True)
class House:
    """Where a suite answers, how its admin gets in, and the document it promises to keep."""

    url: str
    key: str
    document: dict[str, Any]


@contextmanager
def open_house(cluster: Cluster, *, workers: bool = False) -> Iterator[House]:
    """A suite with one tenant; with `workers`, events, timers and jobs run as well."""
    opened: SimpleQueue[House | BaseException] = SimpleQueue()
    loop = asyncio.new_event_loop()
    leave = asyncio.Event()

    async def live() -> None:
        try:
            async with _running(cluster, workers=workers) as house:
                opened.put(house)
                await leave.wait()
        except BaseException as error:
            opened.put(error)
            raise

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),), name="suite", daemon=True)
    thread.start()
    house = opened.get()
    if isinstance(house, BaseException):
        raise house
    try:
        yield house
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()


@asynccontextmanager
async def _running(cluster: Cluster, *, workers: bool) -> AsyncGenerator[House]:
    signer = TokenSigner.generate()
    bus_url = await cluster.bare() if workers else ""
    shared: dict[str, Any] = {"internal_jwks": signer.public_jwks(), "cursor_secret": "for tests", "bus_url": bus_url}
    async with AsyncExitStack() as stack:
        bus = PostgresLog(bus_url) if workers else None
        if bus is not None:
            stack.push_async_callback(bus.aclose)
            topics = {topic for service in [*BEHIND, GATEWAY] for topic in service.topics_published}
            await bus.ensure_topics(sorted(topics))
        upstreams: dict[str, AsgiUpstream] = {}
        for service in BEHIND:
            settings = ServiceSettings(**await _databases(cluster, service), **shared)
            app = make_app(service, settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            if bus is not None:
                await stack.enter_async_context(working(service, settings, bus=bus))
            upstreams[service.name] = AsgiUpstream(app)
        settings = GatewaySettings(
            **await _databases(cluster, GATEWAY),
            **shared,
            internal_private_jwk=signer.private_jwk(),
            access_log=False,
            rate_quota=PLENTY,
            bulk_quota=PLENTY,
            public_quota=PLENTY,
            login_quota=PLENTY,
        )
        gateway = create_gateway(settings, upstreams, documents={s.name: _document(upstreams[s.name]) for s in BEHIND})
        await stack.enter_async_context(gateway.running())
        if bus is not None:
            await stack.enter_async_context(working(GATEWAY, settings, bus=bus))
        assert gateway.database is not None
        key = new_key_text()
        seed = TenantSeed("fuzzed", "A company", keys=[KeySeed("admin", key, (Role.ADMIN,))])
        await ensure_tenant(gateway.database, seed, now=datetime.now(UTC))
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        await stack.enter_async_context(serving(gateway, listening))
        yield House(f"http://127.0.0.1:{listening.getsockname()[1]}", key, gateway.document)


async def _databases(cluster: Cluster, service: Service) -> dict[str, str]:
    urls = await cluster.database(service.schema)
    return {"database_url": urls.app, "worker_database_url": urls.worker, "owner_database_url": urls.owner}


def _document(upstream: AsgiUpstream) -> dict[str, Any]:
    app: Any = upstream.app
    return app.openapi()
