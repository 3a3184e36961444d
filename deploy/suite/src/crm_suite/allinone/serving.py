"""ASGI applications on sockets that are already open, inside our event loop and under our signals."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from crm_gateway.proxy.front import Front

_GRACE_S = 5


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the suite decides when everything stops."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(app: Any, listening: socket.socket) -> AsyncGenerator[None]:
    """Answer on this socket for as long as the block lasts; requests in flight get a few seconds to finish."""
    server = _Server(
        uvicorn.Config(
            app,
            http=Front,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listening]), name=f"http:{listening.getsockname()[1]}")
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("The HTTP server ended before it began.")
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await task
