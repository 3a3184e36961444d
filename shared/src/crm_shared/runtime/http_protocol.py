"""uvicorn's HTTP protocol with answers that leave whole: head and first piece of the body in one write.

Each write is a packet, a system call and a reader woken up; two for each answer cost more than making many an answer.
A head is also looked through once, not each name and value by a pattern of its own.
"""

import asyncio
from typing import Any, cast
from urllib.parse import unquote

from httptools import parse_url
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from crm_shared.observability.health import DRAINING
from crm_shared.runtime.turn import is_due, write_now, write_with_turn

CLOSING = "crm.closing"
"""Where a request's scope holds the event of this server's stopping."""
_BODYLESS = frozenset({204, 304})
_FRAMING_LENGTHS = frozenset(map(len, (b"content-length", b"transfer-encoding", b"connection")))


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    async def send(self, message: Any) -> None:
        """Takes the next part of the answer."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        due = "http.response.body" if self.response_started else "http.response.start"
        if self.response_complete or message["type"] != due:
            raise RuntimeError(f"{message['type']} is out of turn")
        if self.response_started:
            self._pass(message.get("body", b""), more=message.get("more_body", False))
            return
        head = self._joined(message["status"], [*self.default_headers, *message.get("headers", ())])
        self.response_started = True
        self.waiting_for_100_continue = False
        write_with_turn(self.transport, head)

    def _joined(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        parts = [STATUS_LINE[status]]
        lines = 1 + len(headers)
        closes = False
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
            if len(name) in _FRAMING_LENGTHS:  # few others are: it spares looking at each name
                match name.lower():
                    case b"content-length":
                        self.expected_content_length = int(value)
                        self.chunked_encoding = False
                    case b"transfer-encoding":
                        self.chunked_encoding = value.lower() == b"chunked" or None
                    case b"connection":
                        closes = b"close" in value.lower()
                    case _:
                        pass
        self.keep_alive = self.keep_alive and not closes
        if not self.keep_alive and not closes:
            parts.append(b"connection: close\r\n")
            lines += 1
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODYLESS:
            self.chunked_encoding = True
            parts.append(b"transfer-encoding: chunked\r\n")
            lines += 1
        head = b"".join(parts)
        # One line each: a line's end within a value would begin a header, or an answer, of somebody else's making.
        if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
            raise RuntimeError("a header of the answer holds the end of a line")
        return head + b"\r\n"

    def _pass(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("the answer's body isn't as long as its head said")
        if body:
            write_with_turn(self.transport, body)
        if more:
            return
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            write_now()
            self.transport.close()
        self.on_response()


class Protocol(HttpToolsProtocol):
    """One connection; without WebSockets and without a cap of connections, which nobody here switches on."""

    parser: Any
    scope: Any
    cycle: Any

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        self._closing = asyncio.Event()
        self._rests_since: float | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was cut off."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def on_response_complete(self) -> None:
        """An answer has left whole: the next request begins, or the connection rests."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        # One timer for the connection's life: setting one at each answer's end would cost more than it finds.
        self._rests_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again_in(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._rests_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that has rested for too long."""
        self.timeout_keep_alive_task = None
        if self._rests_since is None:
            return  # the end of the answer that is due sets another
        left_s = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._look_again_in(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _look_again_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        """The server stops: whoever answers without an end is told so, by the event that `CLOSING` names."""
        self._closing.set()
        write_now()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Bytes came. Nothing that they lead to may overtake an answer on its way."""
        if is_due(self.transport):
            write_now()
        super().data_received(data)

    def eof_received(self) -> None:
        """The client sends no more; the connection closes when this returns."""
        write_now()

    def on_headers_complete(self) -> None:
        """A head is whole: its request begins, or waits for those before it."""
        parser, scope = self.parser, self.scope
        version, url = parser.get_http_version(), parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        scope[CLOSING] = self._closing
        app = cast("Any", self.config.loaded_app)  # pyright: ignore[reportUnknownMemberType]
        before = self.cycle
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive() and not DRAINING.begun,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))
