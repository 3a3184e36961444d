"""A lean SMTP sink in a process of its own: `python -m tests.bench.mails.sink` says its port, then takes all mail.

It pipelines, keeps nothing, and counts: whoever sends `NOOP` gets the number of mails so far.
"""

import asyncio
import sys
from typing import cast

import uvloop

_END = b"\r\n.\r\n"


class _Sink:
    taken = 0


class _Session(asyncio.Protocol):
    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self._buffer = b""
        self._in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        replies: list[bytes] = []
        buffer = self._buffer + data if self._buffer else data
        while buffer:
            if self._in_message:
                end = buffer.find(_END)
                if end < 0:
                    break
                buffer = buffer[end + 5 :]
                self._in_message = False
                self._sink.taken += 1
                replies.append(b"250 2.0.0 taken\r\n")
                continue
            line, found, rest = buffer.partition(b"\r\n")
            if not found:
                break
            buffer = rest
            replies.append(self._answer(line[:4]))
        self._buffer = buffer
        if replies:
            self._transport.write(b"".join(replies))

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"DATA":
            self._in_message = True
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"
        if verb == b"NOOP":
            return b"250 %d\r\n" % self._sink.taken
        return b"250 2.0.0 ok\r\n"


async def _serve() -> None:
    sink = _Sink()
    server = await asyncio.get_running_loop().create_server(lambda: _Session(sink), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us is gone


if __name__ == "__main__":
    uvloop.run(_serve())
