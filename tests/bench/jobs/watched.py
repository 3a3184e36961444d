"""`crm up` with its event loop watched: every few milliseconds it is noted how late a timer came. Run by the benchmark.

The notes are written to the file that LAG_FILE names when the suite has stopped: the moment and the lag, in seconds.
"""

import asyncio
import os
import time
from array import array
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop

from crm_suite.cli import main

_EVERY_S = 0.005


def watched(work: Coroutine[Any, Any, Any]) -> None:
    """Run `work` as uvloop does, with somebody looking at the clock beside it."""
    notes = array("d")
    try:
        _run(_beside(work, notes))
    finally:
        Path(os.environ["LAG_FILE"]).write_bytes(notes.tobytes())


async def _beside(work: Coroutine[Any, Any, Any], notes: "array[float]") -> None:
    watch = asyncio.create_task(_watch(notes))
    try:
        await work
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(notes: "array[float]") -> None:
    while True:
        started_s = time.monotonic()
        await asyncio.sleep(_EVERY_S)
        now_s = time.monotonic()
        notes.extend((now_s, now_s - started_s - _EVERY_S))


if __name__ == "__main__":
    _run, uvloop.run = uvloop.run, watched
    main()
