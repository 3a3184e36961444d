"""The suite as it is run when one machine is outgrown: every api and every worker a process of its own, told what it
needs by the environment and by nothing else."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson

from crm_shared.http.auth import TokenSigner
from crm_shared.testing.broker import free_port
from crm_suite.allinone.databases import Server, make_databases
from crm_suite.topology import GATEWAY, NAMES

_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0
_MIGRATE_AT_ONCE = 2


@dataclass
class Processes:
    """Processes by name (`customer api`), each with a log of its own."""

    folder: Path
    environments: dict[str, dict[str, str]]
    url: str
    ports: dict[str, int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])

    def start(self, service: str, part: str) -> None:
        with self._log(service, part).open("ab") as log:
            self.running[f"{service} {part}"] = subprocess.Popen(
                [sys.executable, "-m", NAMES[service], part],
                env=self.environments[service],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self, service: str, part: str) -> None:
        """End it as a crash would."""
        process = self.running.pop(f"{service} {part}")
        process.kill()
        process.wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(_STOP_WITHIN_S)
        self.running.clear()

    async def ready(self) -> None:
        async with httpx.AsyncClient(timeout=2) as client:
            for service, port in self.ports.items():
                await self._answers(client, service, f"http://127.0.0.1:{port}/readyz")

    async def _answers(self, client: httpx.AsyncClient, service: str, url: str) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
        raise AssertionError(f"{service} is not ready:\n{self.logs(service)}")

    def logs(self, service: str) -> str:
        return "\n".join(
            f"--- {part}\n{self._log(service, part).read_text(errors='replace')[-2_000:]}" for part in ("api", "worker")
        )

    def _log(self, service: str, part: str) -> Path:
        path = self.folder / f"{service}-{part}.log"
        path.touch()
        return path


@asynccontextmanager
async def separate_processes(
    server: Server, folder: Path, *, bus_url: str, mail: dict[str, str]
) -> AsyncGenerator[Processes]:
    """All ten processes, ready; the server's databases are made and migrated first."""
    await make_databases(server)
    ports = {name: free_port() for name in NAMES}
    url = f"http://127.0.0.1:{ports[GATEWAY]}"
    processes = Processes(folder, _environments(server, ports, bus_url, mail | {"PUBLIC_URL": url}), url, ports)
    turns = asyncio.Semaphore(_MIGRATE_AT_ONCE)
    await asyncio.gather(*(_migrate(service, processes.environments[service], turns) for service in NAMES))
    try:
        for service in NAMES:
            processes.start(service, "api")
            processes.start(service, "worker")
        await processes.ready()
        yield processes
    finally:
        await asyncio.to_thread(processes.stop)


def _environments(
    server: Server, ports: dict[str, int], bus_url: str, extra: dict[str, str]
) -> dict[str, dict[str, str]]:
    signer = TokenSigner.generate()
    upstreams = {name: f"http://127.0.0.1:{port}" for name, port in ports.items() if name != GATEWAY}
    common = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}} | {
        "BUS_URL": bus_url,
        "INTERNAL_JWKS": orjson.dumps(signer.public_jwks()).decode(),
        "CURSOR_SECRET": "of these tests",
        "LINK_SECRET": "of these tests",
        "LOG_LEVEL": "WARNING",
        **extra,
    }
    private = {
        "INTERNAL_PRIVATE_JWK": orjson.dumps(signer.private_jwk()).decode(),
        "UPSTREAMS": orjson.dumps(upstreams).decode(),
    }
    return {
        name: common | server.environment(name) | {"PORT": str(port)} | (private if name == GATEWAY else {})
        for name, port in ports.items()
    }


async def _migrate(service: str, environment: dict[str, str], turns: asyncio.Semaphore) -> None:
    async with turns:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", NAMES[service], "migrate", env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode(errors="replace")
