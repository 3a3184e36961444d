"""A service behind a socket, over pooled connections of our own (see `wire.py`)."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urlsplit

from crm_gateway.proxy.upstream import Unreachable, UpstreamRequest, UpstreamResponse
from crm_gateway.proxy.wire import Wire

# Below the servers' own keep-alive of 5 s and more: a connection is given up here before the other side closes it.
_KEEP_ALIVE_S = 4.0
_MOST_IDLE = 256


@dataclass(frozen=True, slots=True)
class HttpUpstreamSettings:
    """Patience towards one service; how many connections there may be is the lane's business."""

    connect_timeout_s: float = 1.0


class _Exchange:
    """One request on one connection."""

    __slots__ = ("_request", "_sending", "_upstream", "_wire")

    def __init__(self, upstream: "HttpUpstream", request: UpstreamRequest) -> None:
        self._upstream = upstream
        self._request = request
        self._wire: Wire | None = None
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> UpstreamResponse:
        wire = self._wire = self._upstream.idle() or await self._upstream.connect()
        try:
            wire.send_head(self._request)
            if isinstance(self._request.body, AsyncIterator):
                # An upstream may answer before it has heard all; so sending and hearing go on side by side.
                self._sending = asyncio.create_task(self._send(wire))
            await wire.head()
        except BaseException:
            await self._leave(whole=False)
            raise
        return wire

    async def _send(self, wire: Wire) -> None:
        try:
            await wire.send_body(self._request)
        except Exception as error:  # noqa: BLE001 # the sender's fault or the connection's: this exchange is over
            wire.fail(error)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._leave(whole=kind is None)

    async def _leave(self, *, whole: bool) -> None:
        wire, sending = self._wire, self._sending
        if wire is None:
            return
        sent = sending is None or sending.done()
        if whole and sent and wire.reusable:
            self._upstream.keep(wire)
        else:
            wire.close()
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
        self._host = parts.netloc.encode("ascii")
        self._settings = settings
        self._idle: list[Wire] = []

    def exchange(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Sends `request` over a pooled connection."""
        return _Exchange(self, request)

    def idle(self) -> Wire | None:
        """A connection that stands ready: the one used last, so that the others may age away."""
        while self._idle:
            wire = self._idle.pop()
            if wire.reusable and time.monotonic() - wire.idle_since < _KEEP_ALIVE_S:
                return wire
            wire.close()
        return None

    def keep(self, wire: Wire) -> None:
        """Takes back a connection whose exchange is over."""
        wire.idle_since = time.monotonic()
        self._idle.append(wire)
        if len(self._idle) > _MOST_IDLE:
            self._idle.pop(0).close()

    async def connect(self) -> Wire:
        """A new connection."""
        host, port = self._address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                _, wire = await loop.create_connection(lambda: Wire(self._host), host, port, ssl=self._ssl)
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{host}:{port}: {error}") from error
        return wire

    async def close(self) -> None:
        """Closes all idle connections; those in use end with their exchange."""
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # lets the transports finish closing
