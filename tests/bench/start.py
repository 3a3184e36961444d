"""How long `make run` takes to the first answered request, on nothing and on data; what the suite holds at rest.

The family is everything that the command started: the process that answers, the one with the workers, and PostgreSQL's.
What they share is counted once.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from crm_shared.testing.broker import free_port
from crm_suite.allinone.home import Home

from .figures import Figure, at_most
from .run import Run

_ROOT = Path(__file__).resolve().parents[2]
_COLD_S = 10.0
_WITHIN_S = 60.0
_DOWN_WITHIN_S = 30
_REST_S = 5.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Up:
    """A suite that has answered its first request."""

    seconds: float
    process: psutil.Process


async def measure(run: Run) -> list[Figure]:
    """Start on nothing, rest, stop, and start again."""
    with run.steps.step("dependencies"):
        await asyncio.to_thread(subprocess.run, ["make", "setup"], cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
    home = Home(run.folder / "home")
    with run.steps.step("cold start"):
        async with _up(home) as cold:
            await asyncio.sleep(0 if run.short else _REST_S)
            at_rest = _memory_mb(cold.process)
            busy = await _share_of_a_core(cold.process, 0.2 if run.short else _REST_S)
    with run.steps.step("restart"):
        async with _up(home) as again:
            pass
    return [
        Figure("cold `make run` to the first answered request", cold.seconds, "s", at_most(_COLD_S)),
        Figure("restart with data to the first answered request", again.seconds, "s"),
        *(Figure(f"memory at rest: {part}", amount, "MB") for part, amount in at_rest.items()),
        Figure("memory at rest: all", sum(at_rest.values()), "MB"),
        Figure("a core's time at rest", busy * 100, "%"),
    ]


@asynccontextmanager
async def _up(home: Home) -> AsyncGenerator[Up]:
    """`make run` as a person types it, until the end of the block."""
    port = free_port()
    settings = os.environ | {"PORT": str(port), "CRM_HOME": str(home.folder)}
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *("make", "run"),
        cwd=_ROOT,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _answered(home, f"http://127.0.0.1:{port}", process)
        seconds = time.monotonic() - started
        announced = home.running() or {}
        yield Up(seconds, psutil.Process(announced["pid"]))
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGINT)
        await asyncio.wait_for(process.wait(), _DOWN_WITHIN_S)


async def _answered(home: Home, url: str, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + _WITHIN_S
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        while time.monotonic() < deadline:
            if process.returncode is not None:
                raise ChildProcessError(f"make run ended with {process.returncode}; see {home.log}")
            facts = home.running() or {}
            if "access" in facts:
                key = facts["access"]["api_key"]
                answer = await client.get("/v1/me", headers={"authorization": f"Bearer {key}"})
                answer.raise_for_status()
                return
            await asyncio.sleep(_LOOK_EVERY_S)
    raise TimeoutError(f"no answer within {_WITHIN_S:.0f} s; see {home.log}")


def _memory_mb(process: psutil.Process) -> dict[str, float]:
    parts = {"the process that answers": _pss_mb(process), "the workers' process": 0.0, "PostgreSQL": 0.0}
    for child in process.children(recursive=True):
        parts["PostgreSQL" if "postgres" in child.name() else "the workers' process"] += _pss_mb(child)
    return parts


def _pss_mb(process: psutil.Process) -> float:
    return process.memory_full_info().pss / 1e6


async def _share_of_a_core(process: psutil.Process, seconds: float) -> float:
    family = [process, *process.children(recursive=True)]
    before = sum(_used_s(each) for each in family)
    await asyncio.sleep(seconds)
    return (sum(_used_s(each) for each in family) - before) / seconds


def _used_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system
