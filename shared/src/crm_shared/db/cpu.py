"""Work that would hold the event loop for over 20 ms goes to a process of its own."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_NICENESS = 10
_pool: ProcessPoolExecutor | None = None


async def run_in_process(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`fn(*args)` in another process; function, arguments and result must pickle. It may run twice: be pure.

    Raises:
        BrokenProcessPool: two processes one after the other were killed over it, for want of memory perhaps.
    """
    pool = _processes()
    try:
        return await asyncio.wrap_future(pool.submit(fn, *args, **kwargs))
    except BrokenProcessPool:
        if _pool is pool:
            close_processes()
        return await asyncio.wrap_future(_processes().submit(fn, *args, **kwargs))


def _processes() -> ProcessPoolExecutor:
    global _pool  # noqa: PLW0603 # one pool a process, made at first need
    if _pool is None:
        # Forking a process that has threads and sockets would copy locks in whatever state they are.
        _pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_step_back)
    return _pool


def _step_back() -> None:
    """Whoever answers somebody who waits goes first on a busy processor."""
    os.nice(_NICENESS)


def close_processes() -> None:
    """End the process, once nothing runs in it."""
    global _pool  # noqa: PLW0603
    if _pool is not None:
        _pool.shutdown(wait=False, cancel_futures=True)
        _pool = None
