"""Passing one request to one upstream and its answer back: streamed, bounded in time, repeated at most once."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

from crm_gateway.proxy.body import PATIENCE_S, RequestBody, too_slow
from crm_gateway.proxy.domain.headers import Headers, returned
from crm_gateway.proxy.domain.retries import may_repeat
from crm_gateway.proxy.endless import EndlessAnswers, is_endless
from crm_gateway.proxy.exchange import Exchange
from crm_gateway.proxy.guard import Guard, TimeUp, Watch
from crm_gateway.proxy.lane import FAILING, Lane, LaneClosed
from crm_gateway.proxy.refusals import Refusal, retry_later
from crm_gateway.proxy.upstream import Dropped, Stale, TimedOut, UpstreamFault, UpstreamRequest, UpstreamResponse

_LEAST_ATTEMPT_S = 0.05
TIMEOUT_HEADER = b"x-timeout-ms"


class Onward(NamedTuple):
    """A request as it will be sent: everything but its body and its remaining time."""

    method: str
    target: bytes
    headers: Headers
    keyed: bool
    timeout_s: float


class AnswerBroken(Dropped):
    """The answer broke off after its head had been sent; the client's connection must be cut."""

    code = "answer_broken"


class NotTaken(AnswerBroken):
    """The client took its answer too slowly."""

    code = "client_too_slow"


class Minding(NamedTuple):
    """What looks after requests while they are under way."""

    watch: Watch
    endless: EndlessAnswers


async def forward(exchange: Exchange, body: RequestBody, onward: Onward, lane: Lane, minding: Minding) -> None:
    """Sends the request, at most twice, and streams the answer to the client.

    Raises:
        Refusal: no answer came from the upstream; nothing has been sent to the client.
        AnswerBroken: it broke off half-way.
        ClientGone: the client left; the upstream's work has been stopped.
    """
    exchange.upstream = lane.name
    guard = Guard(minding.watch, body)
    try:
        guard.allow(PATIENCE_S, of_client=True)
        whole = await body.whole() if body.is_small else None
        guard.allow(onward.timeout_s, of_client=None)
        await _Passage(exchange, body, onward, lane, guard, whole, minding.endless).run()
    except TimeUp as late:
        if late.of_client:
            raise NotTaken("the client took too long") if exchange.status else too_slow() from None
        if exchange.status:
            raise AnswerBroken(f"{lane.name} stalled") from None
        raise Refusal(504, "upstream_timeout", f"{lane.name} gave no answer in time.") from None
    finally:
        guard.stop()


@dataclass(slots=True)
class _Passage:
    """The one or two attempts of a request and what they share."""

    exchange: Exchange
    body: RequestBody
    onward: Onward
    lane: Lane
    guard: Guard
    whole: bytes | None
    endless: EndlessAnswers

    async def run(self) -> None:
        """Asks, asks again if that is right, and passes the answer on."""
        self.lane.budget.earn()
        if not await self._try(last=False):
            await self._try(last=True)

    async def _try(self, *, last: bool) -> bool:
        """One attempt; False if another should follow."""
        exchange = self.exchange
        exchange.attempts += 1
        started = time.monotonic()
        try:
            async with self.lane.attempt(self._request()) as response:
                exchange.upstream_s += time.monotonic() - started
                if self.body.fault is not None:
                    raise self.body.fault
                if not last and _asks_again(response) and self._may_again():
                    return False
                await self._answer(response)
                return True
        except AnswerBroken:
            raise
        except UpstreamFault as error:
            exchange.upstream_s += time.monotonic() - started
            return self._again_after(error, last=last)
        except LaneClosed as error:
            detail = f"{self.lane.name} isn't answering well; it is left in peace for a moment."
            raise retry_later(503, error.reason, detail, error.retry_after_s) from error

    def _again_after(self, error: UpstreamFault, *, last: bool) -> bool:
        """False if the attempt that failed so may be repeated.

        Raises:
            Refusal: it may not.
        """
        if self.body.fault is not None:
            raise self.body.fault from None
        # Budgets hold back retries that could multiply an outage; of stale connections there are only so many.
        if not last and not isinstance(error, TimedOut) and self._may_again(free=isinstance(error, Stale)):
            return False
        name = self.lane.name
        match error:
            case TimedOut():
                raise Refusal(504, "upstream_timeout", f"{name} gave no answer in time.") from error
            case Dropped():
                raise Refusal(502, "upstream_dropped", f"{name} broke off before it answered.") from error
            case _:
                raise retry_later(503, "upstream_unreachable", f"{name} can't be reached now.", 1.0) from error

    def _request(self) -> UpstreamRequest:
        """The request with the time it has left."""
        payload: bytes | AsyncIterator[bytes] | None = self.whole if self.body.is_small else self.body.stream()
        timeout = (TIMEOUT_HEADER, b"%d" % (self.guard.left_s * 1000))
        headers = [*self.onward.headers, timeout]
        afresh = self.exchange.attempts > 1
        return UpstreamRequest(self.onward.method, self.onward.target, headers, payload, afresh, self.body.fate)

    def _may_again(self, *, free: bool = False) -> bool:
        """Whether a second attempt is safe, in time and affordable."""
        safe = self.body.is_small and may_repeat(self.onward.method, keyed=self.onward.keyed)
        return safe and self.guard.left_s > _LEAST_ATTEMPT_S and (free or self.lane.budget.spend())

    async def _answer(self, response: UpstreamResponse) -> None:
        """Passes the answer on, piece by piece. Each side's silence counts as its own delay."""
        exchange, guard = self.exchange, self.guard
        headers = returned(response.headers)
        guard.allow(PATIENCE_S, of_client=True)
        if is_endless(headers) and not exchange.bodyless:
            await self._pass_on_endless(response, headers)
            return
        await exchange.start(response.status, headers)
        if exchange.bodyless:
            await exchange.finish()
            return
        try:
            while True:
                guard.allow(self.onward.timeout_s)
                chunk = await response.read()
                guard.allow(PATIENCE_S, of_client=True)
                if not chunk or response.ended:
                    break
                await exchange.write(chunk)
        except Dropped as error:
            raise AnswerBroken(str(error)) from error
        await exchange.finish(chunk)

    async def _pass_on_endless(self, response: UpstreamResponse, headers: Headers) -> None:
        if self.body.fate.settle:
            self.body.fate.settle()
        try:
            await self.endless.pass_on(self.exchange, response, headers, self.guard)
        except Dropped as error:
            raise AnswerBroken(str(error)) from error


def _asks_again(response: UpstreamResponse) -> bool:
    """Whether the upstream failed in a way that another try may mend; one that names a time is taken at its word."""
    return response.status in FAILING and all(name.lower() != b"retry-after" for name, _ in response.headers)
