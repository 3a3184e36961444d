"""A thousand clients that keep their connections and ask for nothing."""

import asyncio
import resource
from contextlib import AsyncExitStack
from math import inf
from pathlib import Path
from time import perf_counter

import psutil
import pytest
from tests.gateway.processes import serving, settings_for

from crm_shared.testing.cluster import Cluster

IDLE = 1_000
ROUNDS = 4
MOST_BYTES_EACH = 64 * 1024
ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


async def connect(port: int, stack: AsyncExitStack) -> None:
    """A connection that has been served once, and stays as long as `stack`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(ASK)
    assert (await asyncio.wait_for(reader.readuntil(b"ok\n"), 10)).startswith(b"HTTP/1.1 200")


async def usual_s(port: int) -> float:
    """What a request takes when nothing disturbs it: the tenth percentile of two hundred."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took: list[float] = []
    for _ in range(200):
        began = perf_counter()
        writer.write(ASK)
        await reader.readuntil(b"ok\n")
        took.append(perf_counter() - began)
    writer.close()
    return sorted(took)[20]


@pytest.mark.journey
async def test_a_thousand_idle_connections_cost_little_and_slow_nobody_down(cluster: Cluster, tmp_path: Path):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert most > 2 * IDLE, f"this machine lets a process open only {most} files"
    # Nobody reads what it writes while it runs: a pipe full of access log would stop it.
    settings = {**await settings_for(cluster, tmp_path), "ACCESS_LOG": "false"}
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # ours; the gateway raises its own
    try:
        async with serving(settings) as (process, http):
            port = int(settings["PORT"])
            gateway = psutil.Process(process.pid)
            alone_s, among_s = await usual_s(port), inf
            empty, each = gateway.memory_info().rss, 0.0
            for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine is nobody's
                async with AsyncExitStack() as stack:
                    for _ in range(IDLE // 50):
                        await asyncio.gather(*(connect(port, stack) for _ in range(50)))
                    each = each or (gateway.memory_info().rss - empty) / IDLE
                    assert gateway.num_fds() > IDLE
                    among_s = min(among_s, await usual_s(port))
                alone_s = min(alone_s, await usual_s(port))
            print(f"{each / 1024:.1f} KiB each; a request takes {among_s / alone_s:.2f} times as long among them")
            assert each < MOST_BYTES_EACH
            assert among_s < 1.5 * alone_s
            assert (await http.get("/readyz")).status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    await asyncio.wait_for(process.communicate(), 30)
