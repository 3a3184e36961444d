"""How much processor time each step of the event loop takes: what everything else on the loop has to wait for.

Processor time of the loop's own thread, not wall time: on a machine that is busy otherwise a step takes longer to end,
and is no worse for it. Collections are left out: a running suite freezes what its start-up made, a test run doesn't.
"""

import asyncio
import gc
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

LONGEST_STEP_S = 0.020


@dataclass
class Steps:
    """What was seen: the processor time of each long step, and what it was a step of."""

    count: int = 0
    long: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def __str__(self) -> str:
        worst = sorted(self.long, reverse=True)[:5]
        return "\n".join(f"{seconds * 1_000:.1f} ms in {what}" for seconds, what in worst)


@contextmanager
def steps_watched(monkeypatch: pytest.MonkeyPatch) -> Generator[Steps]:
    """Watch the steps of asyncio's own event loop (uvloop has its own, out of Python's reach)."""
    seen = Steps()
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        run(handle)
        took = time.thread_time() - started
        seen.count += 1
        if took > LONGEST_STEP_S:
            seen.long.append((took, _told(handle)))

    gc.collect()
    gc.disable()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.events.Handle, "_run", timed)
            yield seen
    finally:
        gc.enable()
    assert seen.count, "this event loop's steps can't be watched"


def _told(handle: asyncio.Handle) -> str:
    """Where the task stands that the step belonged to: it has computed until there."""
    task: Any = getattr(getattr(handle, "_callback", None), "__self__", None)
    if not isinstance(task, asyncio.Task):
        return repr(handle)
    awaited = cast("asyncio.Task[Any]", task).get_coro()
    frames: list[str] = []
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        frames.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        awaited = getattr(awaited, "cr_await", None)
    return " → ".join(frames[-4:])
