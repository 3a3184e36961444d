"""The gateway as processes of its own, by settings alone."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import orjson
import pytest

from crm_gateway.app import SERVICE
from crm_gateway.gateway import merged_document
from crm_shared.http.auth import TokenSigner
from crm_shared.testing.cluster import Cluster


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.journey
async def test_it_migrates_serves_and_stops_when_asked(cluster: Cluster, tmp_path: Path):
    urls = await cluster.database(SERVICE.schema)
    document = tmp_path / "merged.json"
    document.write_bytes(orjson.dumps(merged_document({})))
    port = free_port()
    settings = {
        "DATABASE_URL": urls.app,
        "OWNER_DATABASE_URL": urls.owner,
        "INTERNAL_PRIVATE_JWK": orjson.dumps(TokenSigner.generate().private_jwk()).decode(),
        "UPSTREAMS": '{"customer": "http://127.0.0.1:1"}',
        "OPENAPI_PATH": str(document),
        "PORT": str(port),
    }

    async def start(command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "crm_gateway", command, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE
        )

    migrated = await start("migrate")
    assert await asyncio.wait_for(migrated.wait(), 30) == 0
    serving = await start("api")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, asyncio.timeout(30):
            while True:
                try:
                    ready = await http.get("/readyz")
                    break
                except httpx.ConnectError:
                    assert serving.returncode is None
                    await asyncio.sleep(0.05)
            refused = await http.get("/v1/me")
    finally:
        serving.send_signal(signal.SIGTERM)
    out, _ = await asyncio.wait_for(serving.communicate(), 15)
    assert ready.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (401, "credential_missing")
    lines = [orjson.loads(line) for line in out.splitlines()]
    assert [(line["route"], line["status"]) for line in lines][-2:] == [("/readyz", 200), ("/v1/me", 401)]
