"""A service behind a socket, through aiohttp (measured against httpx at 19 times its throughput; see the ADR)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from crm_gateway.proxy.domain.headers import MOST_HEADER_BYTES, Headers
from crm_gateway.proxy.upstream import Dropped, TimedOut, Unreachable, UpstreamRequest, UpstreamResponse

# Below the servers' own keep-alive of 5 s and more: a connection is given up here before the other side closes it.
_KEEP_ALIVE_S = 4.0
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpUpstreamSettings:
    """Connections and patience towards one service."""

    connections: int = 256
    connect_timeout_s: float = 1.0
    pool_timeout_s: float = 0.5


@dataclass(slots=True)
class _Answer:
    """aiohttp's response in our words."""

    status: int
    headers: Headers
    _response: aiohttp.ClientResponse

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise Dropped(str(error)) from error


class HttpUpstream:
    """One service by its base address, such as `http://127.0.0.1:8101`."""

    def __init__(self, base: str, settings: HttpUpstreamSettings = HttpUpstreamSettings()) -> None:
        self._base = base.rstrip("/")
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def exchange(self, request: UpstreamRequest) -> AsyncGenerator[UpstreamResponse]:
        """Sends `request` over a pooled connection."""
        try:
            response = await self._send(request)
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(str(error)) from error
        except TimeoutError as error:
            raise TimedOut(str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Dropped(str(error)) from error
        try:
            yield _Answer(response.status, list(response.raw_headers), response)
        finally:
            # A body not read to its end closes the connection, which the service sees as a disconnect.
            response.close() if not response.content.at_eof() else response.release()

    async def _send(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        session = self._session or self._open()
        headers: CIMultiDict[str] = CIMultiDict(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers
        )
        return await session.request(
            request.method,
            URL(self._base + request.target.decode("latin-1"), encoded=True),
            headers=headers,
            data=request.body,
            allow_redirects=False,
        )

    def _open(self) -> aiohttp.ClientSession:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.connections, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=10
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=settings.connect_timeout_s + settings.pool_timeout_s,
                sock_connect=settings.connect_timeout_s,
            ),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=_CHUNK_BYTES,
            max_line_size=MOST_HEADER_BYTES,
            max_field_size=MOST_HEADER_BYTES,
        )
        # aiohttp would repeat an idempotent request by itself on a stale connection; retries are counted elsewhere.
        self._session._retry_connection = False  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return self._session

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
