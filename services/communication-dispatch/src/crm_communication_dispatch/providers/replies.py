"""A relay's replies (RFC 5321 §4.2) as they come off the wire."""

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from crm_communication_dispatch.providers.domain import Reply

_MAX_REPLY = 64 * 1024
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")

Act = Callable[[list[Reply] | None], None]


class Lost(Exception):  # an event of the network, no fault of ours
    """The connection ended while we waited."""


class Replies(asyncio.Protocol):
    """Reads replies as they come; one waiter at a time asks for the next `n`, as a task or to be called back."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._lines: list[str] = []
        self._ready: list[Reply] = []
        self._act: Act | None = None
        self._wanted = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, though not by inheritance

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self._lines or line[3:4] == b"-":
                self._part(line.rstrip(b"\r").decode("utf-8", "replace"))
            else:
                self._ready.append(_read(line))
        if len(self._buffer) > _MAX_REPLY or len(self._lines) > 500:
            self.abort()
        elif len(self._ready) >= self._wanted:
            self._wake()

    def _part(self, line: str) -> None:
        self._lines.append(line[4:])
        if line[3:4] != "-":
            text, self._lines = "\n".join(self._lines), []
            self._ready.append(_reply(line[:3], text))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._wake()

    def abort(self) -> None:
        """Cut the connection."""
        self.lost = True
        if self.transport is not None:
            self.transport.abort()
        self._wake()

    @property
    def at_rest(self) -> bool:
        """Whether the connection is there, and the other side has said nothing that it wasn't asked."""
        return not (self.lost or self._ready or self._lines or self._buffer)

    def forget(self) -> None:
        """Drop what came before TLS began: it could have been put there by anyone (CVE-2011-0411)."""
        self._buffer, self._lines, self._ready = b"", [], []

    def write(self, data: bytes) -> None:
        """Send.

        Raises:
            Lost: there is no connection any more.
        """
        if self.transport is None or self.lost:
            raise Lost
        self.transport.write(data)

    def expect(self, count: int, act: Act) -> None:
        """Have `act` called with the next `count` replies, or with None if the connection ends first."""
        self._wanted, self._act = count, act
        if self.lost or len(self._ready) >= count:
            self._wake()

    async def take(self, count: int) -> list[Reply]:
        """The next `count` replies.

        Raises:
            Lost: the connection ended first.
        """
        arrived: asyncio.Future[list[Reply] | None] = asyncio.get_running_loop().create_future()

        def act(replies: list[Reply] | None) -> None:
            if not arrived.done():
                arrived.set_result(replies)

        self.expect(count, act)
        replies = await arrived
        if replies is None:
            raise Lost
        return replies

    def _wake(self) -> None:
        act = self._act
        if act is None:
            return
        self._act, wanted = None, self._wanted
        if len(self._ready) >= wanted:
            replies, self._ready = self._ready[:wanted], self._ready[wanted:]
            act(replies)
        else:
            act(None)


@lru_cache(maxsize=1_024)  # a relay says the same thing thousands of times
def _read(line: bytes) -> Reply:
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    return _reply(text[:3], text[4:])


def _reply(code: str, text: str) -> Reply:
    found = _ENHANCED.match(text)
    return Reply(int(code) if code.isdigit() else 0, found.group(1) if found else None, text[:1_000])
