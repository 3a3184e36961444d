"""One port, several processes: each does its part, a dead one is replaced, and none is left behind."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

PROGRAM = """
import os, resource
from prometheus_client import Counter
from crm_shared.http.app import create_app
from crm_shared.runtime.http_server import serve
from crm_shared.settings import ServiceSettings

SEEN = Counter("seen", "Requests.")

def make():
    if os.environ.get("BROKEN"):
        raise RuntimeError("it can't be made")
    app = create_app("Twin", [], service="twin")
    async def who(request):
        from fastapi import Response
        SEEN.inc()
        return Response(f"{os.getpid()} {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}")
    async def endless(request):
        import asyncio
        print("begun", flush=True)
        await asyncio.Event().wait()
    app.add_route("/who", who)
    app.add_route("/endless", endless)
    return app

serve(make, ServiceSettings())
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def few_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


async def start(folder: Path, workers: int, **settings: str) -> tuple[asyncio.subprocess.Process, int]:
    program, port = folder / "program.py", free_port()
    program.write_text(PROGRAM)
    told = {"DATABASE_URL": "unused", "PORT": str(port), "WORKERS": str(workers), **settings}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        env={**os.environ, **told},
        preexec_fn=few_files,
        stdout=asyncio.subprocess.PIPE,
    )
    return child, port


@asynccontextmanager
async def serving(folder: Path, workers: int) -> AsyncGenerator[tuple[psutil.Process, int]]:
    child, port = await start(folder, workers)
    try:
        yield psutil.Process(child.pid), port
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.wait(), 20)


async def answer(port: int) -> tuple[int, int]:
    """The pid of whoever answers a new connection, and how many files it may open."""
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        while True:
            try:
                pid, files = (await http.get(f"http://127.0.0.1:{port}/who")).text.split()
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            else:
                return int(pid), int(files)


async def everybody(port: int, count: int) -> set[int]:
    """The pids of all processes behind the port."""
    seen: set[int] = set()
    async with asyncio.timeout(30):
        while len(seen) < count:
            seen.add((await answer(port))[0])
    return seen


@pytest.mark.journey
async def test_two_processes_share_the_port_and_count_together(tmp_path: Path):
    async with serving(tmp_path, 2) as (parent, port):
        pids = await everybody(port, 2)
        assert pids == {child.pid for child in parent.children()}
        asked = 0
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            before = _seen((await http.get("/metrics")).text)
            for _ in range(10):
                await answer(port)
                asked += 1
            assert _seen((await http.get("/metrics")).text) - before == asked


def _seen(exposition: str) -> float:
    return sum(float(line.split()[-1]) for line in exposition.splitlines() if line.startswith("seen_total"))


@pytest.mark.journey
async def test_one_that_dies_is_replaced_and_whoever_waits_for_it_is_answered(tmp_path: Path):
    async with serving(tmp_path, 2) as (_, port):
        killed, other = await everybody(port, 2)
        os.kill(killed, signal.SIGKILL)
        answers = await asyncio.gather(*(answer(port) for _ in range(20)))
        assert killed not in {pid for pid, _ in answers}
        assert other in await everybody(port, 2)


@pytest.mark.journey
async def test_a_killed_parent_leaves_nobody_behind(tmp_path: Path):
    async with serving(tmp_path, 2) as (parent, port):
        await everybody(port, 2)
        children = parent.children()
        parent.kill()
        gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 15)
        assert len(gone) == 2
        assert alive == []


@pytest.mark.journey
@pytest.mark.parametrize("workers", [1, 2])
async def test_what_cannot_start_stops_with_an_error(tmp_path: Path, workers: int):
    child, _ = await start(tmp_path, workers, BROKEN="yes")
    assert await asyncio.wait_for(child.wait(), 30) not in (0, None)


@pytest.mark.journey
@pytest.mark.parametrize("workers", [1, 2])
async def test_it_opens_as_many_files_as_the_machine_lets_it(tmp_path: Path, workers: int):
    async with serving(tmp_path, workers) as (_, port):
        _, files = await answer(port)
    import resource

    assert files == resource.getrlimit(resource.RLIMIT_NOFILE)[1]


async def test_a_request_without_an_end_does_not_keep_a_process_from_ending(tmp_path: Path) -> None:
    child, port = await start(tmp_path, 1, FINISH_S="1")
    await answer(port)
    async with httpx.AsyncClient(timeout=60) as http:
        endless = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/endless"))
        assert child.stdout is not None
        assert await asyncio.wait_for(child.stdout.readline(), 20) == b"begun\n"
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 20) is not None
        await asyncio.gather(endless, return_exceptions=True)
