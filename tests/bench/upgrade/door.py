"""What stands before processes that are replaced, as a cluster's Service does: it spreads new connections and leaves
old ones where they are."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

_PIECE = 64 * 1024


@dataclass
class Door:
    """One address for several ports in turn."""

    targets: list[int] = field(default_factory=list[int])
    port: int = 0
    _turn: "count[int]" = field(default_factory=count)
    _talks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)
            await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        try:
            target = self.targets[next(self._turn) % len(self.targets)]
            there, onward = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.transport.abort()
            return
        with suppress(asyncio.CancelledError):  # the door closes; asyncio would print it as if somebody had erred
            await asyncio.gather(_pass(reader, onward), _pass(there, writer))
        for end in (writer, onward):
            end.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that comes, and then that no more comes."""
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()
