"""Passing one request to one upstream and its answer back: streamed, bounded in time, repeated at most once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from crm_gateway.proxy.body import ClientGone, RequestBody
from crm_gateway.proxy.domain.headers import Headers, returned
from crm_gateway.proxy.domain.retries import may_repeat
from crm_gateway.proxy.exchange import Exchange
from crm_gateway.proxy.lane import FAILING, Lane, LaneClosed
from crm_gateway.proxy.refusals import Refusal, retry_later
from crm_gateway.proxy.upstream import Dropped, TimedOut, UpstreamFault, UpstreamRequest, UpstreamResponse

# A request that is answered sooner leaves nothing worth stopping, and spares the task that watches its client.
_WATCH_AFTER_S = 0.02
_LEAST_ATTEMPT_S = 0.05
TIMEOUT_HEADER = b"x-timeout-ms"


@dataclass(frozen=True, slots=True)
class Onward:
    """A request as it will be sent: everything but its body and its remaining time."""

    method: str
    target: bytes
    headers: Headers
    keyed: bool
    timeout_s: float


class AnswerBroken(Dropped):
    """The answer broke off after its head had been sent; the client's connection must be cut."""


async def forward(exchange: Exchange, body: RequestBody, onward: Onward, lane: Lane) -> None:
    """Sends the request, at most twice, and streams the answer to the client.

    Raises:
        Refusal: no answer came from the upstream; nothing has been sent to the client.
        AnswerBroken: it broke off half-way.
        ClientGone: the client left; the upstream's work has been stopped.
    """
    exchange.upstream = lane.name
    whole = await body.whole() if body.is_small else None
    repeatable = body.is_small and may_repeat(onward.method, keyed=onward.keyed)
    watch = _Watch(exchange, body)
    try:
        async with AsyncExitStack() as stack:
            response = await _open(exchange, _Attempts(lane, onward, body, whole, repeatable), stack)
            await _answer(exchange, response, onward.timeout_s)
    except asyncio.CancelledError:
        if watch.client_left:
            raise ClientGone from None
        raise
    finally:
        watch.stop()


@dataclass(slots=True)
class _Attempts:
    """The one or two attempts of a request and what they share."""

    lane: Lane
    onward: Onward
    body: RequestBody
    whole: bytes | None
    repeatable: bool

    def request(self, remaining_s: float) -> UpstreamRequest:
        """The request with the time it has left."""
        payload: bytes | AsyncIterator[bytes] | None = self.whole if self.body.is_small else self.body.stream()
        timeout = (TIMEOUT_HEADER, str(int(remaining_s * 1000)).encode())
        headers = [*self.onward.headers, timeout]
        return UpstreamRequest(
            self.onward.method, self.onward.target, headers, payload, lambda: self.body.fault is not None
        )

    def again(self, left_s: float) -> bool:
        """Whether a second attempt is safe, affordable and in time."""
        return self.repeatable and left_s > _LEAST_ATTEMPT_S and self.lane.budget.spend()


async def _open(exchange: Exchange, attempts: _Attempts, stack: AsyncExitStack) -> UpstreamResponse:
    """The answer's head, from the first or the second attempt."""
    lane = attempts.lane
    started = time.monotonic()
    ends = started + attempts.onward.timeout_s
    lane.budget.earn()
    try:
        while True:
            exchange.attempts += 1
            left_s = ends - time.monotonic()
            attempt = lane.attempt(attempts.request(left_s), timeout_s=left_s)
            try:
                response = await attempt.__aenter__()
            except TimedOut as error:
                raise Refusal(504, "upstream_timeout", f"{lane.name} gave no answer in time.") from error
            except UpstreamFault as error:
                if attempts.body.fault is not None:
                    raise attempts.body.fault from None
                if exchange.attempts == 1 and attempts.again(ends - time.monotonic()):
                    continue
                raise _no_answer(lane, error) from error
            except LaneClosed as error:
                raise _closed(lane, error) from error
            if exchange.attempts == 1 and _asks_again(response) and attempts.again(ends - time.monotonic()):
                await attempt.__aexit__(None, None, None)
                continue
            stack.push_async_exit(attempt)
            if attempts.body.fault is not None:
                raise attempts.body.fault
            return response
    finally:
        exchange.upstream_s = time.monotonic() - started


def _asks_again(response: UpstreamResponse) -> bool:
    """Whether the upstream failed in a way that another try may mend; one that names a time is taken at its word."""
    return response.status in FAILING and all(name.lower() != b"retry-after" for name, _ in response.headers)


def _no_answer(lane: Lane, error: UpstreamFault) -> Refusal:
    if isinstance(error, Dropped):
        return Refusal(502, "upstream_dropped", f"{lane.name} broke off before it answered.")
    return retry_later(503, "upstream_unreachable", f"{lane.name} can't be reached now.", 1.0)


def _closed(lane: Lane, error: LaneClosed) -> Refusal:
    return retry_later(
        503, error.reason, f"{lane.name} isn't answering well; it is left in peace for a moment.", error.retry_after_s
    )


async def _answer(exchange: Exchange, response: UpstreamResponse, idle_s: float) -> None:
    headers = returned(response.headers)
    await exchange.start(response.status, headers)
    if exchange.bodyless:
        await exchange.finish()
        return
    endless = any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None if endless else idle_s) as idle:
            async for chunk in response.chunks():
                if endless:
                    await exchange.write(chunk)
                    continue
                idle.reschedule(None)  # a slow client is not the upstream's fault
                await exchange.write(chunk)
                idle.reschedule(loop.time() + idle_s)
    except (Dropped, TimeoutError) as error:
        raise AnswerBroken(str(error)) from error
    await exchange.finish()


class _Watch:
    """Cancels the request's task when its client hangs up."""

    def __init__(self, exchange: Exchange, body: RequestBody) -> None:
        self.client_left = False
        self._body = body
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._begin)

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._body.read.wait()  # until then the body's own reader notices
        await self._body.gone()
        self.client_left = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """The request has ended; nobody needs watching any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
