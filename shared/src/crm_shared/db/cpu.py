"""Work that would hold the event loop for over 20 ms goes to a process of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_pool: ProcessPoolExecutor | None = None


async def run_in_process(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`fn(*args)` in another process; function, arguments and result must pickle."""
    global _pool  # noqa: PLW0603 # one pool a process, made at first need
    if _pool is None:
        # Forking a process that has threads and sockets would copy locks in whatever state they are.
        _pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
    pending = _pool.submit(fn, *args, **kwargs)
    return await asyncio.wrap_future(pending)


def close_processes() -> None:
    """End the process, once nothing runs in it."""
    global _pool  # noqa: PLW0603
    if _pool is not None:
        _pool.shutdown(wait=False, cancel_futures=True)
        _pool = None
