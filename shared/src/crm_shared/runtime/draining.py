"""Ending in order: first not ready, then no new connections, then what is under way to its end."""

import asyncio
import signal
import socket

import uvicorn

from crm_shared.observability.health import DRAINING
from crm_shared.observability.tracing import close_traces

_LOOK_S = 0.05


class DrainingServer(uvicorn.Server):
    """uvicorn's server; on SIGTERM it goes on for `drain_s`, but says that it isn't ready and keeps no connection.

    So whoever spreads requests has looked, and sends none here, before the door closes. A second signal cuts it short,
    and so does Ctrl-C.
    """

    def __init__(self, config: uvicorn.Config, *, drain_s: float) -> None:
        super().__init__(config)
        self._drain_s = drain_s

    async def main_loop(self) -> None:
        """Serve until asked to end, and a little longer."""
        await super().main_loop()
        DRAINING.begin()
        clock = asyncio.get_running_loop().time
        until_s = clock() + self._drain_s
        while self._captured_signals == [signal.SIGTERM] and clock() < until_s:  # noqa: ASYNC110 # handlers fill a list
            await asyncio.sleep(_LOOK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door and finish; what was traced leaves before the process does."""
        await super().shutdown(sockets)
        await asyncio.to_thread(close_traces)
