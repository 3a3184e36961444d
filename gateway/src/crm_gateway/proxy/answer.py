"""An upstream's connection and the answer that comes over it, read by llhttp: no session, no streams, no queue."""

import asyncio
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from crm_gateway.proxy.domain.headers import MOST_HEADER_BYTES, Headers
from crm_gateway.proxy.errand import News
from crm_gateway.proxy.upstream import Dropped
from crm_shared.runtime.turn import write_now, write_with_turn

# An upstream's head, what it says before it, or its trailers: above this nobody reads on.
_MOST_WITHOUT_BODY = 2 * MOST_HEADER_BYTES
_MOST_WAITING = 128 * 1024
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Answer:
    """One answer. Its parser is its own as well: nothing of the last one can reach into this one."""

    __slots__ = (
        "_connection",
        "_fault",
        "_headed",
        "_news",
        "_parser",
        "_pieces",
        "_since_body",
        "_waiting",
        "complete",
        "headers",
        "keeps_alive",
        "status",
    )

    def __init__(self, connection: "Connection") -> None:
        self.status = 0
        self.headers: Headers = []
        self.complete = False
        """Whether all of it has come in."""
        self.keeps_alive = False
        self._connection = connection
        self._parser: Any = HttpResponseParser(self)
        self._headed = False
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._since_body = 0
        self._fault: BaseException | None = None
        self._news = News()

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all has come."""
        return not self._headed and not self._since_body

    @property
    def ended(self) -> bool:
        """Whether all of it has been read."""
        return self.complete and not self._pieces

    async def head(self) -> None:
        """Until status and headers are there.

        Raises:
            Dropped: they won't come.
        """
        while not self._headed:
            await self._more()

    async def read(self) -> bytes:
        """What has come of the body and wasn't read yet; empty at its end.

        Raises:
            Dropped: it ended too early.
        """
        while not self._pieces:
            if self.complete:
                return b""
            await self._more()
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        self._connection.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _more(self) -> None:
        if self._fault is not None:
            raise Dropped(repr(self._fault)) from self._fault
        await self._news.wait()

    def feed(self, data: bytes) -> None:
        """Takes what came. Whoever waits for it goes on before this returns."""
        parser = self._parser
        if parser is None:
            return
        self._since_body += len(data)
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.fail(error)
        if self.complete:
            self._parser = None  # it knows us, and would keep us for the garbage collector
        elif self._since_body > _MOST_WITHOUT_BODY:
            self.fail(ValueError("headers without end"))
        self._news.tell()

    def fail(self, error: BaseException) -> None:
        """It can't be trusted further."""
        self.keeps_alive = False
        if not self.complete:
            self._fault = self._fault or error
            self._parser = None
            self._connection.abort()

    def end(self, error: Exception | None) -> None:
        """The connection has ended, and with it a body of unsaid length."""
        unsaid = self._headed and not any(name.lower() in _FRAMING for name, _ in self.headers)
        if error is None and unsaid and self._fault is None:
            self.complete = True
        self.fail(error or ConnectionError("the connection was closed"))
        self._news.tell()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.complete:
            self.keeps_alive = False  # it says more than it was asked for
        elif not self._headed:
            self.headers = []  # those before were an interim answer's

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # else it is a trailer
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if self._headed or (100 <= status < 200 and status != 101):
            return
        if not 200 <= status < 600:
            raise ValueError(f"an answer of status {status}")
        if self._since_body > MOST_HEADER_BYTES and self._head_bytes > MOST_HEADER_BYTES:
            raise ValueError("too large a head")
        self.status = status
        self._headed = True
        self._since_body = 0

    @property
    def _head_bytes(self) -> int:
        return sum(len(name) + len(value) for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        if self.complete:
            return
        self._pieces.append(body)
        self._since_body = 0
        self._waiting += len(body)
        if self._waiting > _MOST_WAITING:
            self._connection.pause_reading()

    def on_message_complete(self) -> None:
        if self._headed and not self.complete:
            self.complete = True
            self.keeps_alive = self._parser.should_keep_alive()


class Connection(asyncio.Protocol):
    """One connection to an upstream, for one exchange at a time."""

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._paused = False
        self._full: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @property
    def should_close(self) -> bool:
        """Whether nothing may be asked here any more."""
        return self._transport.is_closing()

    def ask(self, request: bytes) -> Answer:
        """Sends a request, or its beginning; what comes back from now on is its answer."""
        self._answer = answer = Answer(self)
        write_with_turn(self._transport, request)
        return answer

    def rest(self) -> None:
        """The exchange is over; nothing may come until the next."""
        self._answer = None
        self.resume_reading()

    def abort(self) -> None:
        """Cuts it."""
        self._transport.abort()

    async def write(self, data: bytes) -> None:
        """Sends more of a request; waits while the upstream takes it slowly."""
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        write_now()
        self._transport.write(data)
        if self._full is not None:
            await self._full

    def pause_reading(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.complete:
            self.abort()  # nobody has asked for it, and it must not answer whoever asks next
        else:
            self._answer.feed(data)

    def eof_received(self) -> None:
        if self._answer is not None:
            self._answer.end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        if self._answer is not None:
            self._answer.end(exc)

    def pause_writing(self) -> None:
        self._full = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)
