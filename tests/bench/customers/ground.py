"""What is measured on: one server, two sizes of customer database, the suite before each, and the reference."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from tests.bench.customers.filling import fill, some_ids
from tests.bench.customers.questions import Crowd, Headers, Put
from tests.bench.customers.stand import Group, Suite, cpu_seconds, running, suite
from tests.bench.load import Window, apply
from tests.bench.run import Run

from crm_customer.app import SERVICE as CUSTOMER
from crm_gateway.app import SERVICE as GATEWAY
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.migrations import upgrade
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.db.provision import ensure_database, ensure_extensions
from crm_shared.db.walls import Roles
from crm_shared.http.auth import TokenSigner
from crm_shared.runtime import Service
from crm_shared.tenancy import Viewer

_SECRET = "for the benchmark"
_SERVER = {"shared_buffers": "1GB", "max_wal_size": "8GB"}


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to put questions, and the processes that work on the answers."""

    name: str
    door: Group
    crowd: Crowd
    headers: Callable[[], Headers]
    watched: tuple[Group, ...]

    async def ask(self, put: Put, status: int, seconds: float) -> tuple[Window, dict[str, float]]:
        """One window, and the processor's µs per request by kind of process."""
        requests = put(self.crowd, self.headers())
        before = {group.name: cpu_seconds(group.pids) for group in self.watched}
        window = await apply(self.door.ports, requests, seconds=seconds)
        used = {group.name: cpu_seconds(group.pids) - before[group.name] for group in self.watched}
        wrong = {code: count for code, count in window.statuses.items() if code != status}
        if wrong:
            raise RuntimeError(f"{self.name} answered {wrong}")
        return window, {name: spent / len(window.latencies_s) * 1e6 for name, spent in used.items()}


@dataclass(frozen=True, slots=True)
class Ground:
    """All that is measured: gateway and service over few and over many customers, and over few the service alone and
    the reference."""

    few: Target
    many: Target
    alone: Target
    reference: Target


@asynccontextmanager
async def prepared(run: Run, few: int, many: int, *, processes: int) -> AsyncGenerator[Ground]:
    """Databases filled, so many processes of each kind started; all gone when the block ends."""
    postgres = EmbeddedPostgres(run.folder / "pg", settings=_SERVER)
    signer, key = TokenSigner.generate(), new_key_text()
    async with AsyncExitStack() as stack:
        with run.steps.step("PostgreSQL, databases"):
            await postgres.started()
            stack.callback(postgres.stop)
            gateway_url = await _migrated(postgres, GATEWAY, "gateway")
            tenant = await _tenant(gateway_url, key)
        crowds: dict[str, Crowd] = {}
        for name, count in (("few", few), ("many", many)):
            with run.steps.step(f"{count:,} customers"):
                await _migrated(postgres, CUSTOMER, name)
                await fill(postgres.url(name), tenant, count)
                crowds[name] = Crowd(tenant, await some_ids(postgres.url(name), tenant, 2_000), _SECRET)
        with run.steps.step("processes"):
            role = Roles.of(CUSTOMER.name).app

            def before(name: str) -> AbstractAsyncContextManager[Suite]:
                url = postgres.url(name, role=role)
                return suite(url, gateway_url, signer, secret=_SECRET, folder=run.folder, processes=processes)

            of_reference = {"DATABASE_URL": postgres.url("few"), "TENANT": str(tenant)}
            program, log = ["tests.bench.customers.reference"], run.folder / "reference.log"
            bare = running("reference", program, [of_reference] * processes, ready="/", log=log)
            async with asyncio.TaskGroup() as starting:  # one start alone leaves the other processors idle
                suites = {name: starting.create_task(stack.enter_async_context(before(name))) for name in crowds}
                started = starting.create_task(stack.enter_async_context(bare))
            reference = started.result()
        server = Group("PostgreSQL", (), (_pid(postgres),))
        yield Ground(
            _through(suites["few"].result(), crowds["few"], key, server),
            _through(suites["many"].result(), crowds["many"], key, server),
            _alone(suites["few"].result(), crowds["few"], signer, server),
            Target("reference", reference, crowds["few"], dict, (reference, server)),
        )


def _through(each: Suite, crowd: Crowd, key: str, server: Group) -> Target:
    headers = {"Authorization": f"Bearer {key}"}
    return Target("gateway", each.gateway, crowd, lambda: headers, (each.gateway, each.service, server))


def _alone(each: Suite, crowd: Crowd, signer: TokenSigner, server: Group) -> Target:
    viewer = Viewer(crowd.tenant, "key_bench", frozenset({"customers:read", "customers:write"}))

    def headers() -> Headers:
        token = signer.sign(viewer, audience=CUSTOMER.name, now=datetime.now(UTC))
        return {"Authorization": f"Bearer {token}"}

    return Target("service alone", each.service, crowd, headers, (each.service, server))


async def _migrated(postgres: EmbeddedPostgres, service: Service, database: str) -> str:
    """The URL of a new database of this service, as its app role."""
    await ensure_database(postgres.url(), service.name, database)
    await ensure_extensions(postgres.url(database), service.name)
    roles = Roles.of(service.name)
    await upgrade(service.schema, postgres.url(database, role=roles.owner))
    return postgres.url(database, role=roles.app)


async def _tenant(gateway_url: str, key: str) -> UUID:
    database = await Database.open(gateway_url, GATEWAY.name, flush=flush_outbox)
    try:
        seed = TenantSeed("bench", "Benchmark", keys=[KeySeed("benchmark", key, (Role.ADMIN,))])
        return (await ensure_tenant(database, seed, now=datetime.now(UTC))).tenant
    finally:
        await database.close()


def _pid(postgres: EmbeddedPostgres) -> int:
    return int((postgres.data / "postmaster.pid").read_text().split("\n", 1)[0])
