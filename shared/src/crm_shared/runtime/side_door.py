"""A small HTTP server beside a process' real work: health and metrics of what serves nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from crm_shared.http.health import add_health
from crm_shared.observability.health import Check

_GRACE_S = 1
_LOOK_S = 0.005


class _Server(uvicorn.Server):
    """Without signal handlers: the process has its own."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def side_door(host: str, port: int, checks: Mapping[str, Check]) -> AsyncGenerator[None]:
    """`/livez`, `/readyz` and `/metrics` for as long as the block lasts; no door where the port is 0."""
    if not port:
        yield
        return
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    add_health(app, checks)
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    serving = asyncio.create_task(server.serve(), name="side-door")
    while not server.started:
        if serving.done():
            serving.result()
            raise RuntimeError("The side door ended before it was open.")
        await asyncio.sleep(_LOOK_S)
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
