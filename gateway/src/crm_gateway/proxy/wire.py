"""One HTTP/1.1 connection to an upstream: a thin layer over httptools' parser (llhttp), strict about what it takes.

It speaks exactly what the gateway needs: one request at a time, bodies in pieces, back-pressure both ways. Anything
that two parsers might read differently ends the connection.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

from httptools import HttpParserError, HttpResponseParser

from crm_gateway.proxy.domain.headers import MOST_HEADER_BYTES, Headers
from crm_gateway.proxy.upstream import Dropped, UpstreamRequest

_HIGH_WATER = 64 * 1024
_FRAMED = frozenset({b"content-length", b"transfer-encoding"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Wire(asyncio.Protocol):
    """A connection. `head()` and `read()` answer for the request that was last sent."""

    def __init__(self, host: bytes) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._lost = False
        self._writable: asyncio.Future[None] | None = None
        self._blocked = False
        self._begin()
        self._complete = True  # nothing is expected until something has been asked

    def _begin(self) -> None:
        """Forgets the last exchange."""
        self._parser = HttpResponseParser(self)
        self.status = 0
        self.headers: Headers = []
        self._head_bytes = 0
        self._framed = False
        self._has_head = False
        self._complete = False
        self._fault: Exception | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended cleanly and another may follow."""
        return self._complete and not self._lost and not self._chunks and self._fault is None and self._keeps_alive

    @property
    def _keeps_alive(self) -> bool:
        return not self._has_head or (self._framed and self._parser.should_keep_alive())

    # -- asking -------------------------------------------------------------------------------------------------------

    def send_head(self, request: UpstreamRequest) -> None:
        """Writes the request, with its body where that is whole."""
        self._begin()
        body = request.body
        lines = [request.method.encode("ascii"), b" ", request.target, b" HTTP/1.1\r\nhost: ", self._host, b"\r\n"]
        sized = False
        for name, value in request.headers:
            sized = sized or name == b"content-length"
            lines += (name, b": ", value, b"\r\n")
        if isinstance(body, AsyncIterator):
            lines.append(b"\r\n" if sized else b"transfer-encoding: chunked\r\n\r\n")
        elif sized or not (body or request.method in _WITH_BODY):
            lines += (b"\r\n", body or b"")
        else:
            lines += (b"content-length: %d\r\n\r\n" % len(body or b""), body or b"")
        self._write(b"".join(lines))

    async def send_body(self, request: UpstreamRequest) -> None:
        """Writes a streamed body, as fast as the upstream takes it."""
        body = request.body
        if not isinstance(body, AsyncIterator):
            return
        chunked = all(name != b"content-length" for name, _ in request.headers)
        async for chunk in body:
            self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            await self._drained()
        if chunked:
            self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._lost:
            raise Dropped("the connection is closed")
        self._transport.write(data)

    async def _drained(self) -> None:
        if self._lost:
            raise Dropped("the connection is closed")
        if self._blocked:
            self._writable = self._loop.create_future()
            await self._writable

    # -- hearing ------------------------------------------------------------------------------------------------------

    async def head(self) -> None:
        """Waits for status and headers."""
        while not self._has_head:
            await self._wait()

    async def read(self) -> bytes:
        """The next piece of the body; empty at its end."""
        while True:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._buffered -= len(chunk)
                if self._paused and self._buffered < _HIGH_WATER // 2:
                    self._paused = False
                    if self._transport is not None and not self._lost:
                        self._transport.resume_reading()
                return chunk
            if self._complete:
                return b""
            await self._wait()

    async def _wait(self) -> None:
        if self._fault is not None:
            raise Dropped(str(self._fault)) from self._fault
        if self._lost:
            raise Dropped("the connection ended before the answer did")
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def fail(self, error: Exception) -> None:
        """Ends the exchange: something about it can't be trusted."""
        self._fault = self._fault or error
        self.close()
        self._wake()

    def close(self) -> None:
        """Cuts the connection; an upstream at work sees that nobody listens any more."""
        if self._transport is not None:
            self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- asyncio's side -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, though not by inheritance

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._complete:
            self.fail(ValueError("the upstream spoke without being asked"))
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.fail(error)
            return
        if not self._has_head and self._head_bytes > MOST_HEADER_BYTES:
            self.fail(ValueError("the answer's head is too long"))
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended; that also ends a body of unsaid length."""
        self._lost = True
        if self._has_head and not self._framed and exc is None and self._fault is None:
            self._complete = True
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(Dropped("the connection ended while the body was sent"))
            self._writable.exception()
        self._wake()

    def pause_writing(self) -> None:
        """The upstream takes no more for now."""
        self._blocked = True

    def resume_writing(self) -> None:
        """The upstream takes more."""
        self._blocked = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # -- httptools' side ----------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; a second one would be somebody else's."""
        if self._complete:
            raise ValueError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line, or a trailer, which is dropped."""
        if not self._has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.status = self._parser.get_status_code()
        if self.status < 200:  # an interim answer; the real one follows
            self.headers = []
            return
        self._has_head = True
        bodyless = self.status in (204, 304)
        self._framed = bodyless or any(name.lower() in _FRAMED for name, _ in self.headers)

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was an interim one."""
        self._complete = self._has_head
