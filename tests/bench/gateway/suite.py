"""The customer service and the gateway before it as in production: processes of their own over a durable PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import psutil

from crm_customer.app import SERVICE as CUSTOMER
from crm_customer.parties.tables import customer
from crm_gateway.app import SERVICE as GATEWAY
from crm_gateway.gateway import merged_document
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role, scopes_of
from crm_gateway.openapi.domain.routes import RouteTable, routes_of
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.http.auth import TokenSigner
from crm_shared.ids import new_id, parse_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.testing.cluster import Cluster

from . import tiny
from .programs import ROOT, free_port, program

_UNLIMITED = "1000000000"
_BEHIND = ("customer", "sales-pipeline", "communication-dispatch", "contact-center")
NEW = {
    "kind": "person",
    "given_name": "Ada",
    "family_name": "Brewster",
    "language": "en",
    "country": "GB",
    "contact_points": [{"channel": "email", "value": "ada@example.com"}],
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how they show it on either way in."""

    viewer: Viewer
    key: str
    signer: TokenSigner

    def at_the_door(self) -> dict[str, str]:
        """What a client shows to the gateway."""
        return {"Authorization": f"Bearer {self.key}"}

    def behind_it(self, service: str) -> dict[str, str]:
        """What the gateway shows to a service; good for a minute."""
        token = self.signer.sign(self.viewer, audience=service, now=datetime.now(UTC))
        return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True)
class Suite:
    """What runs: ports and processes by name, and the customers' ids."""

    caller: Caller
    ports: dict[str, int]
    processes: dict[str, psutil.Process]
    postgres: psutil.Process
    customers: list[str]


@asynccontextmanager
async def running(folder: Path, *, customers: int, workers: int) -> AsyncGenerator[Suite]:
    """All of it, its table filled."""
    server = EmbeddedPostgres(folder / "pg")
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        cluster = Cluster(server)
        of_customer, of_gateway = await cluster.database(CUSTOMER.schema), await cluster.database(GATEWAY.schema)
        document = _document()
        (folder / "merged.json").write_bytes(orjson.dumps(document))
        caller = await _caller(of_gateway.app, document)
        ports = {name: free_port() for name in (CUSTOMER.name, tiny.NAME, GATEWAY.name)}
        usual = {"WORKERS": str(workers), "CURSOR_SECRET": "of a benchmark", "DATABASE_URL": "unused"}
        behind = {**usual, "INTERNAL_JWKS": orjson.dumps(caller.signer.public_jwks()).decode()}
        upstreams = {name: f"http://127.0.0.1:{port}" for name, port in ports.items() if name != GATEWAY.name}
        before = {
            **usual,
            "DATABASE_URL": of_gateway.app,
            "INTERNAL_PRIVATE_JWK": orjson.dumps(caller.signer.private_jwk()).decode(),
            "UPSTREAMS": orjson.dumps(upstreams).decode(),
            "OPENAPI_PATH": str(folder / "merged.json"),
            "RATE_QUOTA": _UNLIMITED,
        }
        programs = {
            CUSTOMER.name: (["crm_customer", "api"], {**behind, "DATABASE_URL": of_customer.app}),
            tiny.NAME: (["tests.bench.gateway.tiny"], behind),
            GATEWAY.name: (["crm_gateway", "api"], before),
        }
        processes = {
            name: await stack.enter_async_context(
                program(words, {**settings, "PORT": str(ports[name])}, folder / f"{name}.log")
            )
            for name, (words, settings) in programs.items()
        }
        postmaster = psutil.Process(int((server.data / "postmaster.pid").read_text().splitlines()[0]))
        ids = await _filled(ports[GATEWAY.name], caller, of_customer.admin, customers)
        yield Suite(caller, ports, processes, postmaster, ids)


def _document() -> dict[str, Any]:
    """The suite's merged document, and the tiny service in it."""
    paths = {name: ROOT / "services" / name / "contracts" / "openapi.json" for name in _BEHIND}
    documents: dict[str, Any] = {name: orjson.loads(path.read_bytes()) for name, path in paths.items()}
    return merged_document({**documents, tiny.NAME: tiny.document()})


async def _caller(url: str, document: dict[str, Any]) -> Caller:
    """A tenant's key, as an administrator of an installation makes it."""
    key, roles = new_key_text(), (Role.INTEGRATION,)
    database = await Database.open(url, GATEWAY.name, size=1, flush=flush_outbox)
    try:
        seed = TenantSeed("bench", "Bench", keys=[KeySeed("bench", key, roles)])
        ensured = await ensure_tenant(database, seed, now=datetime.now(UTC))
    finally:
        await database.close()
    scopes = scopes_of(roles, RouteTable(routes_of(document)).scopes)
    return Caller(Viewer(ensured.tenant, public_id("key", ensured.keys["bench"]), scopes), key, TokenSigner.generate())


async def _filled(port: int, caller: Caller, admin: str, count: int) -> list[str]:
    """The ids of `count` customers: one registered through the door, the others its likes."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=caller.at_the_door()) as http:
        first = (await http.post("/v1/customers", json=NEW)).raise_for_status().json()["id"]
    own: list[UUID] = [new_id() for _ in range(count - 1)]
    columns = ", ".join(column.name for column in customer.columns if column.name not in ("id", "number"))
    connection = await asyncpg.connect(admin)
    try:
        await connection.execute(
            f"INSERT INTO customer (id, {columns}) "
            f"SELECT like_it, {columns} FROM customer, unnest($1::uuid[]) like_it WHERE id = $2",
            own,
            parse_id("cus", first),
        )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return [first, *(public_id("cus", each) for each in own)]
