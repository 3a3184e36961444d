"""A service behind a socket, through aiohttp (measured against httpx at 19 times its throughput; see the ADR)."""

from contextlib import AbstractAsyncContextManager
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


class _Answer:
    """aiohttp's response in our words."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = list(response.raw_headers)

    async def read(self) -> bytes:
        """The next piece of the body."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Dropped(str(error)) from error

    def close(self) -> None:
        """Gives the connection back, or closes it where the body wasn't read: the service sees a disconnect."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class _Exchange:
    """One request over a pooled connection."""

    __slots__ = ("_answer", "_request", "_upstream")

    def __init__(self, upstream: "HttpUpstream", request: UpstreamRequest) -> None:
        self._upstream = upstream
        self._request = request
        self._answer: _Answer | None = None

    async def __aenter__(self) -> UpstreamResponse:
        try:
            self._answer = _Answer(await self._upstream.send(self._request))
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise Unreachable(str(error)) from error
        except TimeoutError as error:
            raise TimedOut(str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Dropped(str(error)) from error
        return self._answer

    async def __aexit__(self, *_: object) -> None:
        if self._answer is not None:
            self._answer.close()


class HttpUpstream:
    """One service by its base address, such as `http://127.0.0.1:8101`."""

    def __init__(self, base: str, settings: HttpUpstreamSettings = HttpUpstreamSettings()) -> None:
        self._base = base.rstrip("/")
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    def exchange(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Sends `request` over a pooled connection."""
        return _Exchange(self, request)

    async def send(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        """Aiohttp's own answer, its body not yet read."""
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
