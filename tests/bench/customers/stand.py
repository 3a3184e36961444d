"""Processes as production starts them, over one server: the reference's, and gateway and service before a database."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil

from crm_shared.http.auth import TokenSigner

_READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Group:
    """Equal processes that share a load, each on a port of its own."""

    name: str
    ports: tuple[int, ...]
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """Gateway processes, each before a service process of its own, and the key that signs for the service."""

    gateway: Group
    service: Group


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@asynccontextmanager
async def running(
    name: str, module: list[str], environments: list[Mapping[str, str]], *, ready: str, log: Path
) -> AsyncGenerator[Group]:
    """`python -m module…` once for each environment, until the block ends."""
    ports = tuple(free_port() for _ in environments)
    started: list[asyncio.subprocess.Process] = []
    try:
        with log.open("ab") as out:
            for port, environment in zip(ports, environments, strict=True):
                variables = {**os.environ, **environment, "PORT": str(port), "LOG_LEVEL": "WARNING"}
                command = [sys.executable, "-m", *module]
                started.append(
                    await asyncio.create_subprocess_exec(
                        *command, env=variables, stdout=asyncio.subprocess.DEVNULL, stderr=out
                    )
                )
        for port, process in zip(ports, started, strict=True):
            await _until_ready(f"http://127.0.0.1:{port}{ready}", process, log)
        yield Group(name, ports, tuple(process.pid for process in started))
    finally:
        for process in started:
            if process.returncode is None:
                process.terminate()
        for process in started:
            await process.wait()


async def _until_ready(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(_READY_WITHIN_S):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"a process of the benchmark ended: {log.read_text(errors='replace')[-2000:]}")
            try:
                if (await http.get(url)).status_code < 500:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def suite(
    database_url: str, gateway_url: str, signer: TokenSigner, *, secret: str, folder: Path, processes: int
) -> AsyncGenerator[Suite]:
    """Gateway and customer service, each gateway process before a service process of its own."""
    jwks = orjson.dumps(signer.public_jwks()).decode()
    of_service = {"DATABASE_URL": database_url, "INTERNAL_JWKS": jwks, "CURSOR_SECRET": secret}
    async with running(
        "customer", ["crm_customer", "api"], [of_service] * processes, ready="/readyz", log=folder / "service.log"
    ) as service:
        of_gateway: dict[str, str] = {
            "DATABASE_URL": gateway_url,
            "INTERNAL_PRIVATE_JWK": orjson.dumps(signer.private_jwk()).decode(),
            "CURSOR_SECRET": secret,
            "RATE_QUOTA": "1000000000",  # the limit is counted, and never reached
        }
        upstreams = [{"customer": f"http://127.0.0.1:{port}"} for port in service.ports]
        environments = [of_gateway | {"UPSTREAMS": orjson.dumps(upstream).decode()} for upstream in upstreams]
        async with running(
            "gateway", ["crm_gateway", "api"], [*environments], ready="/readyz", log=folder / "gateway.log"
        ) as gateway:
            yield Suite(gateway, service)


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """Processor time that these processes and their children have used."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            try:
                times: Any = each.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
    return total
