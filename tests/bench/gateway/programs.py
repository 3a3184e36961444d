"""Programs that serve HTTP, as child processes."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[3]
_READY_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 15.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@asynccontextmanager
async def program(words: Sequence[str], settings: dict[str, str], log: Path) -> AsyncGenerator[psutil.Process]:
    """`python -m words…` with these settings, ready to serve; its output goes to `log`."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, **settings}, stdout=out, stderr=out
        )
    try:
        await _ready(child, f"http://127.0.0.1:{settings['PORT']}/livez", log)
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        try:
            await asyncio.to_thread(child.wait, _STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()


async def _ready(child: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(_READY_WITHIN_S):
        while True:
            try:
                await http.get(url)
            except httpx.TransportError:
                if child.poll() is not None:
                    raise RuntimeError(f"it didn't start:\n{log.read_text()}") from None
                await asyncio.sleep(0.05)
            else:
                return
