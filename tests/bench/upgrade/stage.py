"""Processes of two releases over one set of databases and one bus."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.provision import ensure_database, ensure_extensions
from crm_shared.db.walls import Roles
from crm_shared.http.auth import TokenSigner
from crm_shared.testing.broker import free_port
from crm_suite.allinone.databases import Server
from crm_suite.topology import BUS_DATABASE, GATEWAY, NAMES, database_of

from .door import Door
from .releases import Release

CUSTOMER, SALES = "customer", "sales-pipeline"
PLAYING = (GATEWAY, CUSTOMER, SALES)
_READY_WITHIN_S = 90.0
_STOPPED_WITHIN_S = 60.0
# As all our deployments give it: connections that are kept end after an answer, not while a request is on its way.
_DRAIN_S = "2"
_UNLIMITED = "1000000000"

# Run by the old release, on its own schema and in one process; it uses what every release offers for it.
_SETTLE = """
import asyncio, importlib, os, sys
from datetime import UTC, datetime
from crm_gateway.app import SERVICE
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role
from crm_shared.db.migrations import upgrade
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database

async def main():
    for package, owner_url in zip(sys.argv[1::2], sys.argv[2::2]):
        await upgrade(importlib.import_module(f"{package}.app").SERVICE.schema, owner_url)
    key = new_key_text()
    database = await Database.open(os.environ["DATABASE_URL"], SERVICE.name, size=1, flush=flush_outbox)
    seed = TenantSeed("upgraded", "Upgraded", keys=[KeySeed("clients", key, (Role.ADMIN,))])
    made = await ensure_tenant(database, seed, now=datetime.now(UTC))
    await database.close()
    print(made.tenant, key)

asyncio.run(main())
"""


@dataclass
class Process:
    """One process of a release, and what it says."""

    name: str
    child: "subprocess.Popen[bytes]"
    log: Path
    port: int

    async def ready(self) -> None:
        """Until `/readyz` of its own port says so; a worker of a release that has none is taken at its word."""
        async with httpx.AsyncClient(timeout=5) as http, asyncio.timeout(_READY_WITHIN_S):
            while True:
                assert self.child.poll() is None, f"{self.name} ended:\n{self.told()}"
                try:
                    if (await http.get(f"http://127.0.0.1:{self.port}/readyz")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """As an operator's tools do it, and to the end."""
        self.child.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.child.wait, _STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise AssertionError(f"{self.name} did not end in order:\n{self.told()}") from None

    def told(self) -> str:
        return self.log.read_text(errors="replace")[-3_000:]


@dataclass
class Stage:
    """One PostgreSQL server, one bus, and a door before each api."""

    postgres: EmbeddedPostgres
    bus_url: str
    folder: Path
    signer: TokenSigner = field(default_factory=TokenSigner.generate)
    doors: dict[str, Door] = field(default_factory=lambda: {GATEWAY: Door(), CUSTOMER: Door()})
    running: list[Process] = field(default_factory=list[Process])

    async def settle(self, release: Release) -> tuple[str, str]:
        """An installation of this release, with one tenant: its id, and an administrator's key."""
        for service in (*PLAYING, BUS_DATABASE):
            await ensure_database(self.postgres.url(), service, database_of(service))
            await ensure_extensions(self.postgres.url(database_of(service)), service)
        owners = [word for name in PLAYING for word in (NAMES[name], self._settings(name)["OWNER_DATABASE_URL"])]
        words = [sys.executable, "-c", _SETTLE, *owners]
        told = await self._output(words, release.environment(self._settings(GATEWAY)), "settle")
        tenant, key = told.split()
        return tenant, key

    async def migrate(self, release: Release) -> None:
        """Every service's migrations, as its own job each."""
        await asyncio.gather(
            *(
                self._output(release.command(NAMES[name], "migrate"), release.environment(self._settings(name)), name)
                for name in PLAYING
            )
        )

    async def start(self, release: Release, service: str, part: str) -> Process:
        """A process that is ready; its door doesn't know of it yet."""
        port = free_port()
        settings = self._settings(service) | {"PORT" if part == "api" else "METRICS_PORT": str(port)}
        log = self.folder / f"{release.name}-{service}-{part}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                release.command(NAMES[service], part),
                env=release.environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        process = Process(f"{release.name} {service} {part}", child, log, port)
        self.running.append(process)
        if part == "api" or _shows_health(release):
            await process.ready()
        return process

    async def stop(self, *processes: Process) -> None:
        await asyncio.gather(*(process.stop() for process in processes))
        for process in processes:
            self.running.remove(process)

    async def close(self) -> None:
        """End whatever is left."""
        for door in self.doors.values():
            await door.close()
        for process in self.running:
            process.child.kill()
            await asyncio.to_thread(process.child.wait)

    async def _output(self, words: list[str], environment: dict[str, str], what: str) -> str:
        child = await asyncio.create_subprocess_exec(
            *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        told, complaint = await child.communicate()
        assert child.returncode == 0, f"{what}:\n{complaint.decode(errors='replace')[-3_000:]}"
        return told.decode()

    def _settings(self, service: str) -> dict[str, str]:
        told: dict[str, Any] = {
            **Server(self.postgres).environment(service),
            "BUS_URL": self.bus_url,
            "INTERNAL_JWKS": orjson.dumps(self.signer.public_jwks()).decode(),
            "CURSOR_SECRET": "of an upgrade",
            "LOG_LEVEL": "WARNING",
            "DRAIN_S": _DRAIN_S,
        }
        if service == GATEWAY:
            told |= {
                "INTERNAL_PRIVATE_JWK": orjson.dumps(self.signer.private_jwk()).decode(),
                "UPSTREAMS": orjson.dumps({CUSTOMER: f"http://127.0.0.1:{self.doors[CUSTOMER].port}"}).decode(),
                "WEBHOOK_KEYS": "of an upgrade and long enough",
                "RATE_QUOTA": _UNLIMITED,
                "ACCESS_LOG": "false",
            }
        return told


def embedded_bus(postgres: EmbeddedPostgres) -> str:
    return postgres.url(database_of(BUS_DATABASE), role=Roles.of(BUS_DATABASE).owner)


def _shows_health(release: Release) -> bool:
    """Whether its workers have a port that tells how they are."""
    return (release.tree / "shared/src/crm_shared/runtime/side_door.py").exists()
