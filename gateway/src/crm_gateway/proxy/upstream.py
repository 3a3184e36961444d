"""The port behind the gateway: something that answers HTTP requests, over sockets or in this process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from crm_gateway.proxy.domain.headers import Headers


class UpstreamFault(Exception):
    """An upstream gave no answer."""


class Unreachable(UpstreamFault):
    """No connection could be made; the request was not sent."""


class Dropped(UpstreamFault):
    """The connection ended before the answer did."""


class Stale(Dropped):
    """A connection kept from earlier ended before anything of an answer came.

    Most likely it was being closed while the request was on its way, which says nothing of how the upstream does.
    """


class TimedOut(UpstreamFault):
    """No answer within the time the request had."""


@dataclass(slots=True)
class Fate:
    """How the asking side ended, for whoever judges the upstream: neither is a success, only one is its fault."""

    sender_failed: bool = False
    timed_out: bool = False
    settle: Callable[[], None] | None = None
    """Judges the upstream by what has come so far, before the answer's end: an endless answer's never comes."""


@dataclass(slots=True)
class UpstreamRequest:
    """One request as it goes on. `target` is the encoded path and query, unchanged; `body` is whole or a stream.

    A second attempt goes `afresh`, over no connection kept from earlier: a process that ends closes all at once.
    """

    method: str
    target: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes] | None
    afresh: bool = False
    fate: Fate = field(default_factory=Fate)


class UpstreamResponse(Protocol):
    """The head of an answer, and its body as it arrives."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Headers:
        """All headers, as sent."""
        ...

    @property
    def ended(self) -> bool:
        """Whether it is known already that nothing more will come."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body, undecoded, as it arrives; empty at its end. Reading slowly slows the sender.

        Raises:
            Dropped: it ended too early.
        """
        ...


class Upstream(Protocol):
    """One service."""

    def exchange(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Sends `request`; entering waits for the answer's head, leaving early stops the upstream's work.

        Raises:
            Unreachable: nothing was sent.
            Dropped: the connection ended before the head.
            Stale: so did one that was kept, before anything came.
        """
        ...

    async def close(self) -> None:
        """Gives back what it holds."""
        ...
