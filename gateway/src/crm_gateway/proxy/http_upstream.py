"""A service behind a socket: connections that take turns, each for one exchange at a time.

What else an HTTP client does (URLs, cookies, redirects, decompression, header dictionaries) a proxy must not do anyway.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urlsplit

from crm_gateway.proxy.answer import Connection
from crm_gateway.proxy.domain.headers import Headers
from crm_gateway.proxy.errand import as_task
from crm_gateway.proxy.upstream import Dropped, Stale, Unreachable, UpstreamRequest, UpstreamResponse

# Far below the 75 s of our own services: a connection is given up here before the other side closes it.
_KEEP_ALIVE_S = 15.0
_MOST_IDLE = 256
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class HttpUpstreamSettings:
    """Patience towards one service; how many connections there may be is the lane's business."""

    connect_timeout_s: float = 1.0


class _Exchange:
    """One request on one connection, and its answer."""

    __slots__ = ("_answer", "_connection", "_request", "_sending", "_upstream")

    def __init__(self, upstream: "HttpUpstream", request: UpstreamRequest) -> None:
        self._upstream = upstream
        self._request = request
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> UpstreamResponse:
        kept = None if self._request.afresh else self._upstream.idle()
        self._connection = connection = kept or await self._upstream.connect()
        self._answer = answer = connection.ask(head_of(self._request, self._upstream.host))
        body = self._request.body
        try:
            if body is not None and not isinstance(body, bytes):
                # An upstream may answer before it has heard all; so sending and hearing go on side by side.
                self._sending = asyncio.create_task(self._send(body))
            await answer.head()
        except BaseException as error:
            await self._leave(whole=False)
            if kept is not None and isinstance(error, Dropped) and answer.is_silent:
                raise Stale(str(error)) from error
            raise
        return answer

    async def _send(self, body: AsyncIterator[bytes]) -> None:
        sized, write = _is_sized(self._request.headers), self._connection.write
        try:
            async for chunk in body:
                await write(chunk if sized else b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if not sized:
                await write(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001 # the sender's fault or the connection's: this exchange is over
            self._answer.fail(error)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._leave(whole=kind is None and self._answer.ended)

    async def _leave(self, *, whole: bool) -> None:
        """Keeps the connection for the next request, or cuts it: a service at work then sees that nobody listens."""
        connection, sending = self._connection, self._sending
        sent = sending is None or sending.done()
        if whole and sent and self._answer.keeps_alive:
            self._upstream.keep(connection)
        else:
            connection.abort()
        if sending is not None and not sent:
            sending.cancel()
            await asyncio.wait((sending,))


class HttpUpstream:
    """One service by its base address, such as `http://127.0.0.1:8101`."""

    def __init__(self, base: str, settings: HttpUpstreamSettings = HttpUpstreamSettings()) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"an upstream's address is http(s)://host:port, not {base!r}")
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._address = (parts.hostname, parts.port or (443 if self._ssl else 80))
        self._settings = settings
        self._idle: deque[tuple[Connection, float]] = deque()
        self.host = parts.netloc.encode("ascii")

    def exchange(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Sends `request` over a pooled connection."""
        return _Exchange(self, request)

    def idle(self) -> Connection | None:
        """A connection that stands ready. They take turns, so that all processes behind an address get their share."""
        while self._idle:
            connection, since = self._idle.popleft()
            # One that was closed, or received anything unasked, says that it should close.
            if time.monotonic() - since < _KEEP_ALIVE_S and not connection.should_close:
                return connection
            connection.abort()
        return None

    def keep(self, connection: Connection) -> None:
        """Takes back a connection whose exchange is over."""
        connection.rest()
        self._idle.append((connection, time.monotonic()))
        if len(self._idle) > _MOST_IDLE:
            self._idle.popleft()[0].abort()

    async def connect(self) -> Connection:
        """A new connection."""
        await as_task()
        host, port = self._address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                _, made = await loop.create_connection(Connection, host, port, ssl=self._ssl)
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{host}:{port}: {error}") from error
        return made

    async def close(self) -> None:
        """Closes all idle connections; those in use end with their exchange."""
        while self._idle:
            self._idle.pop()[0].abort()
        await asyncio.sleep(0)  # lets the transports finish closing


def head_of(request: UpstreamRequest, host: bytes) -> bytes:
    """The request as it is written, with its body where that is whole."""
    body = request.body
    lines = [request.method.encode("ascii"), b" ", request.target, b" HTTP/1.1\r\nhost: ", host, b"\r\n"]
    for name, value in request.headers:
        lines += (name, b": ", value, b"\r\n")
    if body is not None and not isinstance(body, bytes):
        lines.append(b"\r\n" if _is_sized(request.headers) else b"transfer-encoding: chunked\r\n\r\n")
    elif not (body or request.method in _WITH_BODY) or _is_sized(request.headers):
        lines += (b"\r\n", body or b"")
    else:
        lines += (b"content-length: %d\r\n\r\n" % len(body or b""), body or b"")
    return b"".join(lines)


def _is_sized(headers: Headers) -> bool:
    return any(name == b"content-length" for name, _ in headers)
