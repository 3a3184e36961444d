"""SIGTERM: first not ready, while everybody is still answered; then what is under way ends, and then the process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from crm_shared.testing.broker import free_port

DRAIN_S = 1.0
PROGRAM = """
import asyncio
from fastapi import Response
from crm_shared.http.app import create_app
from crm_shared.runtime.http_protocol import Protocol
from crm_shared.runtime.http_server import serve
from crm_shared.settings import ServiceSettings

def make():
    app = create_app("Slow", [], service="slow")
    begun = asyncio.Event()
    async def slow(request):
        begun.set()
        await asyncio.sleep(2.5)
        return Response("done")
    async def under_way(request):
        await begun.wait()
        return Response("yes")
    app.add_route("/slow", slow)
    app.add_route("/under-way", under_way)
    return app

serve(make, ServiceSettings(), http=%s)
"""


@asynccontextmanager
async def serving(folder: Path, protocol: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    program, port = folder / "program.py", free_port()
    program.write_text(PROGRAM % protocol)
    told = {"DATABASE_URL": "unused", "PORT": str(port), "DRAIN_S": str(DRAIN_S)}
    child = await asyncio.create_subprocess_exec(sys.executable, str(program), env={**os.environ, **told})
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http, asyncio.timeout(60):
            while True:
                try:
                    (await http.get("/readyz")).raise_for_status()
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
            yield child, http
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@pytest.mark.journey
@pytest.mark.parametrize("protocol", ['"httptools"', "Protocol"])
async def test_it_is_not_ready_first_then_closes_its_door_and_finishes(tmp_path: Path, protocol: str):
    async with serving(tmp_path, protocol) as (child, http):
        under_way = asyncio.create_task(http.get("/slow"))
        assert (await http.get("/under-way")).text == "yes"
        assert (await http.get("/livez")).headers.get("connection") != "close"
        asked_s = asyncio.get_running_loop().time()
        child.send_signal(signal.SIGTERM)
        while (answer := await http.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.02)
        assert answer.json()["parts"]["process"] == "is ending"
        alive = await http.get("/livez")
        assert (alive.status_code, alive.headers["connection"]) == (200, "close")
        while True:
            try:
                await http.get("/livez")
                await asyncio.sleep(0.02)
            except httpx.TransportError:
                break
        assert asyncio.get_running_loop().time() - asked_s >= DRAIN_S * 0.9
        assert (await under_way).text == "done"
        assert await asyncio.wait_for(child.wait(), 20) == -signal.SIGTERM


@pytest.mark.journey
async def test_a_second_signal_is_not_kept_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules[__name__], "DRAIN_S", 60.0)
    async with serving(tmp_path, '"httptools"') as (child, http):
        child.send_signal(signal.SIGTERM)
        while (await http.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.02)
        child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.wait(), 30)
