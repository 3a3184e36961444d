"""The gateway over a real database, before a small real upstream, everything on real sockets."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import uvicorn
from tests.gateway.waiting import until

from crm_gateway.app import SERVICE
from crm_gateway.gateway import Gateway, create_gateway
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, UserSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role
from crm_gateway.proxy.domain.breaker import Breaker
from crm_gateway.proxy.front import Front
from crm_gateway.proxy.http_upstream import HttpUpstream
from crm_gateway.proxy.upstream import Upstream
from crm_gateway.settings import GatewaySettings
from crm_shared.http.auth import TokenSigner
from crm_shared.ids import new_id
from crm_shared.testing.cluster import Cluster, Databases
from crm_shared.testing.kit import ServiceKit

PASSWORD = "correct horse battery"


def operation(name: str, scope: str | None, **more: Any) -> dict[str, Any]:
    """One operation of a test document."""
    mark: dict[str, Any] = {"x-required-scope": scope} if scope else {"x-public": "for tests"}
    return {"operationId": name, "tags": ["things"], "responses": {"200": {"description": "ok"}}, **mark, **more}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "things", "version": "1"},
    "paths": {
        "/v1/things": {
            "get": operation("things_list", "things:read"),
            "post": operation("things_create", "things:write"),
        },
        "/v1/things/{thing_id}": {
            "get": operation("things_get", "things:read"),
            "delete": operation("things_delete", "things:write"),
        },
        "/v1/customer-imports": {"post": operation("imports_create", "things:write")},
        "/v1/customers/{customer_id}": {"get": operation("customers_get", "customers:read")},
        "/v1/customers/{customer_id}/card": {"get": operation("customers_card", "customers:read")},
        "/v1/deals": {"get": operation("deals_list", "deals:read")},
        "/v1/notices/{token}": {"get": operation("notices_get", None)},
    },
    "components": {"schemas": {}},
}

Behaviour = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


@dataclass
class Seen:
    """One request as the upstream got it."""

    method: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    whole: bool = False

    def header(self, name: str) -> str | None:
        return next((value.decode() for key, value in self.headers if key == name.encode()), None)


@dataclass
class StandIn:
    """An upstream that notes what it gets, and answers as the test says."""

    seen: list[Seen] = field(default_factory=list)
    behaviour: Behaviour | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    by_path: dict[str, Behaviour] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        noted = Seen(scope["method"], scope["raw_path"], scope["query_string"], list(scope["headers"]))
        self.seen.append(noted)
        behaviour = self.by_path.get(scope["path"]) or self.behaviour
        if behaviour is not None:
            await behaviour(scope, receive, send)
            return
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            noted.body += message.get("body", b"")
            if not message.get("more_body"):
                break
        noted.whole = True
        await answer(send, 200, orjson.dumps({"path": scope["path"], "got": len(noted.body)}))

    def reset(self) -> None:
        """Well again, and with an empty mind."""
        self.seen.clear()
        self.by_path.clear()
        self.behaviour = None
        self.cancelled.clear()

    def endless(self, *, first: bytes = b"") -> Behaviour:
        """A way to answer (`first`) or not, and then to work until stopped."""

        async def behave(scope: Any, receive: Any, send: Any) -> None:
            try:
                if first:
                    headers = [(b"content-type", b"text/plain")]
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                    await send({"type": "http.response.body", "body": first, "more_body": True})
                while (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                self.cancelled.set()

        return behave


async def answer(send: Any, status: int, body: bytes = b"{}", **headers: str) -> None:
    """A whole answer of an upstream."""
    sent = [
        (b"content-type", b"application/json"),
        *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(app: Any, *, http: Any = "httptools") -> AsyncGenerator[int]:
    """`app` on a port of this machine; the loop is the test's own."""
    # Without the protocol said, asyncio doesn't switch Nagle's delay off, and every other answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=http,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        assert not task.done(), task
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 10)
        listener.close()


@dataclass
class House:
    """A running gateway, its upstream, and the keys of one tenant."""

    gateway: Gateway
    port: int
    upstream: StandIn
    upstream_port: int
    tenant: UUID
    slug: str
    keys: dict[Role, str]
    signer: TokenSigner
    log: list[dict[str, Any]]
    stack: AsyncExitStack

    def http(self, role: Role | None = Role.ADMIN, **headers: str) -> httpx.AsyncClient:
        """A client that shows the key of a role."""
        shown = {"authorization": f"Bearer {self.keys[role]}"} if role else {}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers={**shown, **headers}, timeout=20)

    def reset(self) -> None:
        """Nothing seen, nothing logged, the upstream well, and nothing held against it."""
        self.upstream.reset()
        for lane in self.gateway.lanes.values():
            lane.breaker = Breaker()
        self.log.clear()

    async def hang_up_after(self, request: bytes, expected: bytes) -> None:
        """Sends a request, waits until the upstream has it (and `expected` came back), and hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        await until(lambda: self.upstream.seen)
        got = b""
        while expected not in got:
            got += await asyncio.wait_for(reader.read(65536), 5)
        writer.close()

    @property
    def bearer(self) -> bytes:
        """The admin's Authorization line."""
        return b"Authorization: Bearer " + self.keys[Role.ADMIN].encode() + b"\r\n"

    async def raw(self, data: bytes, *, within_s: float = 5.0) -> bytes:
        """What comes back for these very bytes, until the connection closes or nothing more comes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        got = b""
        try:
            async with asyncio.timeout(within_s):
                while chunk := await reader.read(65536):
                    got += chunk
                    if _is_whole(got):
                        break
        except TimeoutError:
            pass
        finally:
            writer.close()
        return got


def _is_whole(got: bytes) -> bool:
    head, found, body = got.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if found and line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


@pytest.fixture(scope="session")
async def gateway_databases(cluster: Cluster) -> Databases:
    return await cluster.database(SERVICE.schema)


@pytest.fixture(scope="session")
async def kit(cluster: Cluster) -> AsyncGenerator[ServiceKit]:
    """The identity service in a test's hands, without a door."""
    async with ServiceKit.started(SERVICE, cluster) as started:
        yield started


OpenHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def open_house(gateway_databases: Databases) -> OpenHouse:
    """Opens a gateway with its own tenant; `settings` and `upstreams` may differ from the usual."""

    @asynccontextmanager
    async def opened(
        *,
        settings: Mapping[str, Any] | None = None,
        upstreams: Mapping[str, Upstream] | None = None,
        wrap: Callable[[int], Upstream] | None = None,
        document: dict[str, Any] = DOCUMENT,
    ) -> AsyncGenerator[House]:
        signer = TokenSigner.generate()
        made = GatewaySettings(
            database_url=gateway_databases.app,
            internal_private_jwk=signer.private_jwk(),
            cursor_secret="for tests",
            access_log=False,
            api_pool_size=2,
            rate_quota=100_000,
            public_quota=100_000,
            login_quota=1_000,
        ).model_copy(update=dict(settings or {}))
        upstream, lines = StandIn(), []
        async with AsyncExitStack() as stack:
            upstream_port = await stack.enter_async_context(served(upstream))
            make = wrap or (lambda port: HttpUpstream(f"http://127.0.0.1:{port}"))
            ways = {"customer": make(upstream_port), **(upstreams or {})}
            gateway = create_gateway(
                made, ways, documents={"customer": document}, write_log=lambda line: lines.append(orjson.loads(line))
            )
            port = await stack.enter_async_context(served(gateway, http=Front))
            slug = f"t{new_id().hex[-12:]}"
            keys = {role: new_key_text() for role in Role}
            seed = TenantSeed(
                slug,
                "A company",
                users=[UserSeed("ada@example.com", "Ada", PASSWORD, (Role.ADMIN,), ("red",))],
                keys=[KeySeed(role.value, text, (role,)) for role, text in keys.items()],
            )
            assert gateway.database is not None
            ensured = await ensure_tenant(gateway.database, seed, now=datetime.now(UTC))
            yield House(gateway, port, upstream, upstream_port, ensured.tenant, slug, keys, signer, lines, stack)

    return opened


@pytest.fixture(scope="session")
async def shared_house(open_house: OpenHouse) -> AsyncGenerator[House]:
    async with open_house() as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    """The usual gateway, its upstream's notes and ways wiped."""
    shared_house.reset()
    return shared_house
