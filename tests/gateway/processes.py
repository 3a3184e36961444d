"""The gateway as a process of its own, by settings alone."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson

from crm_gateway.app import SERVICE
from crm_gateway.gateway import merged_document
from crm_shared.http.auth import TokenSigner
from crm_shared.testing.cluster import Cluster


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def settings_for(cluster: Cluster, folder: Path) -> dict[str, str]:
    """The environment of a gateway over a new database, before a service that isn't there."""
    urls = await cluster.database(SERVICE.schema)
    document = folder / "merged.json"
    document.write_bytes(orjson.dumps(merged_document({})))
    return {
        "DATABASE_URL": urls.app,
        "OWNER_DATABASE_URL": urls.owner,
        "INTERNAL_PRIVATE_JWK": orjson.dumps(TokenSigner.generate().private_jwk()).decode(),
        "UPSTREAMS": '{"customer": "http://127.0.0.1:1"}',
        "CURSOR_SECRET": "of these tests",
        "OPENAPI_PATH": str(document),
        "PORT": str(free_port()),
    }


async def start(command: str, settings: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crm_gateway", command, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def serving(settings: dict[str, str]) -> AsyncGenerator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """A gateway that is ready, and a client of it; asked to stop at the end."""
    process = await start("api", settings)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings['PORT']}") as http:
            async with asyncio.timeout(30):
                while True:
                    try:
                        assert (await http.get("/readyz")).status_code == 200
                        break
                    except (httpx.ConnectError, httpx.ReadTimeout):  # its port is open before it is there to answer
                        assert process.returncode is None
                        await asyncio.sleep(0.05)
            yield process, http
    finally:
        process.send_signal(signal.SIGTERM)
