"""A request's body on its way in: counted, whole if small, and the client's leaving noticed."""

import asyncio
from collections.abc import AsyncIterator

from crm_gateway.proxy.asgi_upstream import Message, Receive
from crm_gateway.proxy.domain.headers import Inbound
from crm_gateway.proxy.refusals import Refusal
from crm_gateway.proxy.upstream import Fate

WHOLE_UP_TO = 64 * 1024
"""Bodies up to this size are read before sending, so that they can be sent twice; larger ones stream and can't."""

PATIENCE_S = 30.0
"""How long a small body may take to come in whole, and each piece of a large one."""


class ClientGone(Exception):
    """The client hung up."""


class RequestBody:
    """The receiving end of one request; only one reader at a time."""

    def __init__(self, receive: Receive, head: Inbound, *, limit: int) -> None:
        if head.content_length is not None and head.content_length > limit:
            raise too_large(limit)
        self._receive = receive
        self._limit = limit
        length = head.content_length
        self.is_small = not head.has_body or (length is not None and length <= WHOLE_UP_TO)
        self._taken = 0
        self.awaited = False
        """Whether the client is being waited for."""
        self.fault: Exception | None = None
        self.fate = Fate()
        self.complete = not head.has_body
        """Whether nothing of it is left to read."""

    async def whole(self) -> bytes | None:
        """All of it."""
        if self.complete:
            return None
        first = await self._next()
        if self.complete:
            return first
        parts = [first]
        while not self.complete:
            parts.append(await self._next())
        return b"".join(parts)

    async def stream(self) -> AsyncIterator[bytes]:
        """Piece by piece, as fast as the reader asks."""
        while not self.complete:
            try:
                async with _Patience(PATIENCE_S):
                    chunk = await self._next()
            except (ClientGone, Refusal) as error:
                self.fate.sender_failed = True
                self.fault = error  # the reader is inside the upstream's client, which would report it as its own
                raise
            if chunk:
                yield chunk

    async def gone(self) -> None:
        """Returns when the client hangs up; asked only after the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> bytes:
        self.awaited = True
        message: Message = await self._receive()
        self.awaited = False
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._taken += len(chunk)
        if self._taken > self._limit:
            raise too_large(self._limit)
        if not message.get("more_body", False):
            self.complete = True
        return chunk


class _Patience:
    """A time limit whose end is the client's fault."""

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._timeout.__aexit__(*exc)  # pyright: ignore[reportArgumentType]
        except TimeoutError:
            raise too_slow() from None


def too_slow() -> Refusal:
    """The refusal of a body that doesn't come."""
    return Refusal(408, "body_too_slow", "The request's body came too slowly.")


def too_large(limit: int) -> Refusal:
    """The refusal of a body over its route's limit."""
    return Refusal(413, "body_too_large", f"At most {limit} bytes are taken here.")
