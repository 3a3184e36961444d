"""The client's side of a connection: uvicorn's HTTP protocol, with the patience and the limits that it lacks.

uvicorn waits for the rest of a head for ever, and takes heads of any length. An edge proxy spares us such clients; the
gateway doesn't rely on there being one.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from crm_gateway.proxy.domain.headers import MOST_HEADER_BYTES
from crm_gateway.proxy.errand import Errand
from crm_gateway.proxy.exchange import new_request_id
from crm_gateway.proxy.refusals import CONTENT_TYPE, Refusal
from crm_shared.runtime.http_protocol import Protocol
from crm_shared.runtime.turn import write_now

# What our own check lets pass, and the request line, are always below it; above it nobody reads on.
_MOST_HEAD_BYTES = 2 * MOST_HEADER_BYTES
_LINGER_S = 2.0


class Front(Protocol):
    """One connection of a client."""

    head_within_s = 10.0
    """How long a request's head may take from its first byte, and a new connection until it has sent one."""

    taken_within_s = 30.0
    """A client that takes nothing of what waits for it for so long is cut off."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client is there."""
        super().connection_made(transport)
        self._head_since: float | None = self.loop.time()
        self._head_bytes = 0
        self._refused = False
        self._parsing = False
        self._due: Coroutine[Any, Any, None] | None = None
        self._unsent = 0
        self._unsent_since = 0.0
        # One timer for the connection's life: setting one for each request would cost more than it finds.
        self._watch = self.loop.call_later(self.head_within_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was cut off."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._refused:
            return
        if self._head_since is not None:
            self._head_bytes += len(data)
        self._parsing = True
        super().data_received(data)
        self._parsing = False
        due, self._due = self._due, None
        if due is not None:
            self._begin(due)
        if self._head_since is not None and self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(Refusal(431, "headers_too_large", "At most 100 headers and 32 KiB of them are taken."))

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_since = self.loop.time()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._head_since = None
        if self.url[:1] != b"/" and not self._names_its_host():
            raise ValueError("a target elsewhere")  # the parser then stops, and the request is refused
        super().on_headers_complete()
        self.headers = []  # what still comes are trailers, which must not join the headers (RFC 9110 §6.5.1)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._parsing:
            self._due = cycle.run_asgi(app)
        else:  # one sent ahead, begun by the end of that before it: in a turn of its own, however many there are
            super()._start_asgi_task(cycle, app)

    def _begin(self, run: Coroutine[Any, Any, None]) -> None:
        running: Any = self.tasks  # of tasks, says uvicorn, but all it does is to count and to cancel them
        errand = Errand(run, running.discard)
        running.add(errand)
        errand.go_on()

    def _names_its_host(self) -> bool:
        """Whether a target with scheme and host (RFC 9112 §3.2.2) speaks of the host that `Host` names."""
        host = next((value for name, value in self.headers if name == b"host"), b"")
        return bool(host) and self.url.lower().startswith(b"http://" + host.lower() + b"/")

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP that everybody reads alike."""
        self._refuse(Refusal(400, "request_malformed", "This is no well-formed HTTP/1.1 request."))

    def _refuse(self, refusal: Refusal) -> None:
        if self._refused or self.transport.is_closing():
            return
        if self.cycle and not self.cycle.response_complete:
            if self.cycle.response_started or self._head_since is not None:
                self.transport.abort()  # amid an answer, or before one that is due, nothing else may be said
                return
            self.cycle.disconnected = True  # nothing more will come for it, nor go
            self.cycle.message_event.set()
        body = refusal.body(new_request_id())
        head = b"content-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (CONTENT_TYPE, len(body))
        write_now()
        self.transport.write(STATUS_LINE[refusal.status] + head + body)
        # Closing while more comes in would reset the connection, and our answer might be lost with it.
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)

    def _look(self) -> None:
        """Looks from time to time whether the client still does its part."""
        now = self.loop.time()
        wait_s = self.head_within_s
        if self._head_since is not None and not self.transport.is_closing():
            wait_s += self._head_since - now
            if wait_s <= 0:
                self._refuse(Refusal(408, "head_too_slow", "The request's head came too slowly."))
                wait_s = self.head_within_s
        if self._stuck(now):
            self.transport.abort()
            return
        self._watch = self.loop.call_later(wait_s, self._look)

    def _stuck(self, now: float) -> bool:
        """Whether nothing was taken of what waits for the client, also after its connection was meant to end."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent or self._unsent == 0:
            self._unsent_since = now
        self._unsent = unsent
        return unsent > 0 and now - self._unsent_since >= self.taken_within_s
