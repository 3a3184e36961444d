"""One POST to an address that somebody else has chosen.

aiohttp has no guard against that, but one place that nothing gets around: every connection's socket is made by our own
factory, from the very address that is connected to. So a name may resolve as it likes, and differently each time.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from crm_gateway.webhooks.domain.addresses import AddressRule
from crm_gateway.webhooks.domain.deliveries import Answered

SNIPPET_BYTES = 1_024
AGENT = "Corkscrew-Webhooks/1"
_LOOK_UPS_AT_ONCE = 64
Resolve = Callable[[str], Awaitable[list[str]]]
"""A name's addresses, as text."""


class AddressRefused(OSError):
    """The address is none that we send to."""


class SystemNames:
    """Names as this machine resolves them.

    In threads of our own, and one for a name at most: a name whose server never answers blocks a thread for half a
    minute, and the event loop's few are everybody's.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="webhook-names")
        self._asked: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str) -> list[str]:
        """The addresses of `host`."""
        asked = self._asked.get(host)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[host] = loop.run_in_executor(self._threads, _look_up, host)
            asked.add_done_callback(lambda done: (self._asked.pop(host), done.cancelled() or done.exception()))
        return await asyncio.shield(asked)


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Names(AbstractResolver):
    """Names resolved anew for every connection; those addresses that are refused are left out."""

    def __init__(self, rule: AddressRule, resolve: Resolve) -> None:
        self._rule = rule
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host` that may be connected to."""
        found = await self._resolve(host)
        if not found:
            raise OSError(None, "the name has no address")
        admitted = [address for address in found if self._rule.admits(address)]
        if not admitted:
            raise AddressRefused(None, "the name leads to no public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in admitted
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Egress:
    """Sends webhooks; open for as long as its `async with` lasts."""

    def __init__(
        self,
        rule: AddressRule,
        *,
        timeout_s: float,
        connect_timeout_s: float,
        ca_file: Path | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._rule = rule
        self._timeout = ClientTimeout(total=timeout_s, connect=connect_timeout_s)
        self._resolve = resolve or SystemNames()
        self._ca_file = ca_file

    async def __aenter__(self) -> Self:
        trusted = ssl.create_default_context()
        if self._ca_file is not None:
            trusted.load_verify_locations(self._ca_file)
        connector = TCPConnector(
            resolver=_Names(self._rule, self._resolve),
            socket_factory=self._socket,
            ssl=trusted,
            use_dns_cache=False,
            force_close=True,  # a kept connection would outlive the check of its address
            limit=0,  # how many at once is the sender's business
        )
        self._session = ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send once. Redirects are not followed; whatever goes wrong is told, not raised."""
        begun = time.monotonic()
        status, error, told, retry_after = None, None, b"", None
        sent = {**headers, "user-agent": AGENT, "accept-encoding": "identity"}
        try:
            async with self._session.post(
                URL(url, encoded=True), data=body, headers=sent, allow_redirects=False
            ) as answer:
                status, retry_after = answer.status, answer.headers.get("retry-after")
                told = await _beginning(answer)
                answer.close()  # the rest is not ours to wait for
        except (ClientError, TimeoutError, OSError, ValueError) as caught:
            error = None if status is not None else _described(caught)
        taken_ms = round((time.monotonic() - begun) * 1_000)
        return Answered(status, error, _readable(told), retry_after, taken_ms)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._rule.admits(str(address[0])):
            raise AddressRefused(None, "the address is none of the public internet")
        return socket.socket(family, kind, protocol)


async def _beginning(answer: ClientResponse) -> bytes:
    """As much of the answer's body as is kept. The status has decided already: one that breaks off is no error."""
    told = b""
    try:
        while len(told) < SNIPPET_BYTES and (piece := await answer.content.read(SNIPPET_BYTES - len(told))):
            told += piece
    except (ClientError, TimeoutError, OSError):
        pass
    return told


def _readable(told: bytes) -> str:
    text = "".join(mark if mark.isprintable() or mark in "\n\t" else "�" for mark in told.decode(errors="replace"))
    return text.encode()[:SNIPPET_BYTES].decode(errors="ignore")


def _described(error: Exception) -> str:
    match error:
        case ConnectionTimeoutError():
            return "connecting took too long"
        case TimeoutError():
            return "the answer took too long"
        case _:
            return str(error)[:200] or type(error).__name__
