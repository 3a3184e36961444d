"""Answers without an end, such as server-sent events: watched for as long as they last, and ended in good order.

A request is admitted once and answered at once; a stream outlives both. So each one's caller is recognised anew from
time to time, no company holds more than its share of them, and a server that stops ends them itself, at a boundary
between two events and with a hint when to come back.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from crm_gateway.identity.domain.principals import Principal
from crm_gateway.proxy.body import PATIENCE_S
from crm_gateway.proxy.domain.headers import Headers
from crm_gateway.proxy.exchange import Exchange
from crm_gateway.proxy.guard import Guard
from crm_gateway.proxy.refusals import retry_later
from crm_gateway.proxy.upstream import UpstreamResponse
from crm_shared.bus.wake import is_set_within
from crm_shared.errors import CrmError
from crm_shared.observability.logs import logger
from crm_shared.runtime.http_protocol import CLOSING

_log = logger("gateway.streams")
_COME_BACK_S = (0.5, 5.0)
"""When to come back after a restart; apart from each other, or all would come at once."""


class Recogniser(Protocol):
    """Knows callers by what they show."""

    def authenticate(self, authorization: bytes) -> Awaitable[Principal]:
        """The caller behind an `Authorization` value."""
        ...


def is_endless(headers: Headers) -> bool:
    """Whether an answer with these headers has no end of its own."""
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)


@dataclass(slots=True)
class EndlessAnswers:
    """The endless answers under way in this process."""

    recogniser: Recogniser
    most_of_tenant: int = 20
    recognised_every_s: float = 15.0
    _open: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def place(self, tenant: str) -> Generator[None]:
        """A place for one more of this company's.

        Raises:
            Refusal: it has too many.
        """
        if self._open[tenant] >= self.most_of_tenant:
            detail = f"Your company has {self.most_of_tenant} streams open here; close one, or read pages."
            raise retry_later(429, "too_many_streams", detail, 30)
        self._open[tenant] += 1
        try:
            yield
        finally:
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]

    async def pass_on(self, exchange: Exchange, response: UpstreamResponse, headers: Headers, guard: Guard) -> None:
        """Passes pieces on as they come, until either side leaves, the caller isn't known any more, or we stop."""
        with self.place(exchange.tenant or "-"):
            await exchange.start(response.status, headers)
            last = b"\n\n"
            async with _task(self._until_over(exchange)) as over:
                while True:
                    guard.allow(None)
                    chunk = await _unless(over, response)
                    guard.allow(PATIENCE_S, of_client=True)
                    if not chunk:
                        break
                    last = (last + chunk)[-2:]
                    await exchange.write(chunk)
                said = over.done() and not over.cancelled() and over.result() and last == b"\n\n"
            await exchange.finish(_hint() if said else b"")

    async def _until_over(self, exchange: Exchange) -> bool:
        """Returns when the answer must end: true, when it is because this server stops."""
        closing: asyncio.Event = exchange.scope.get(CLOSING) or asyncio.Event()
        while True:
            pause_s = self.recognised_every_s * random.uniform(0.8, 1.2)  # noqa: S311 # spreads work, guards nothing
            if await is_set_within(closing, pause_s):
                return True
            if not await self._is_same(exchange):
                return False

    async def _is_same(self, exchange: Exchange) -> bool:
        """Whether the caller is still who they were, and may still do what they might."""
        if exchange.authorization is None:
            return True
        try:
            principal = await self.recogniser.authenticate(exchange.authorization)
        except CrmError:
            return False
        except Exception as error:  # noqa: BLE001 # the directory is away for a moment; asking again is right
            _log.warning("not_recognised", request_id=exchange.request_id, error=f"{type(error).__name__}: {error}")
            return True
        return principal.viewer == exchange.viewer


@asynccontextmanager
async def _task(work: Coroutine[None, None, bool]) -> AsyncGenerator["asyncio.Task[bool]"]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()


async def _unless(over: "asyncio.Future[bool]", response: UpstreamResponse) -> bytes:
    """The next piece, or nothing when there is none or it is over."""
    reading: asyncio.Future[bytes] = asyncio.ensure_future(response.read())
    try:
        await asyncio.wait({reading, over}, return_when=asyncio.FIRST_COMPLETED)
        return reading.result() if reading.done() else b""
    finally:
        reading.cancel()


def _hint() -> bytes:
    return b"retry: %d\n\n" % (random.uniform(*_COME_BACK_S) * 1000)  # noqa: S311 # spreads returns
