"""One upstream with its safeguards: breaker, cap of requests under way, and the share of retries."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType

from prometheus_client import Gauge

from crm_gateway.proxy.domain.breaker import Breaker, BreakerPolicy, Outcome, Permit, Refused, State
from crm_gateway.proxy.domain.retries import RetryBudget
from crm_gateway.proxy.traces import TracedAttempt
from crm_gateway.proxy.upstream import Stale, TimedOut, Upstream, UpstreamFault, UpstreamRequest, UpstreamResponse
from crm_shared.observability.tracing import are_traced
from crm_shared.observability.vitals import VITALS

FAILING = frozenset({502, 503, 504})
"""Answers that mean the upstream itself is in trouble; a 500 is one route's bug and says nothing of the others."""


OPEN = Gauge(
    "crm_gateway_breakers_open", "Processes that hold back from a service.", ["upstream"], multiprocess_mode="livesum"
)
IN_FLIGHT = Gauge(
    "crm_gateway_in_flight", "Requests that a service is asked now.", ["upstream"], multiprocess_mode="livesum"
)


class LaneClosed(Exception):
    """The upstream isn't asked now: its breaker is open, or too many requests are under way."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """Safeguards of one upstream."""

    most_in_flight: int = 512
    retry_ratio: float = 0.2
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


class Lane:
    """All requests to one upstream pass here, the proxy's and the composer's alike."""

    def __init__(self, name: str, upstream: Upstream, policy: LanePolicy = LanePolicy()) -> None:
        self.name = name
        self.upstream = upstream
        self.breaker = Breaker(policy.breaker)
        self.budget = RetryBudget(policy.retry_ratio)
        self.in_flight = 0
        self._shown = State.CLOSED
        VITALS.watch(self)
        self._most_in_flight = policy.most_in_flight

    def attempt(
        self, request: UpstreamRequest, *, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        """One attempt, counted by the breaker; with `timeout_s` its head must arrive within that time.

        Raises (on entering):
            LaneClosed: it isn't asked now.
            UpstreamFault: it gave no answer.
        """
        attempt = _Attempt(self, request, timeout_s)
        return TracedAttempt(attempt, self.name, request) if are_traced() else attempt

    def admit(self) -> Permit:
        """Leave for one more request."""
        if self.in_flight >= self._most_in_flight:
            raise LaneClosed("upstream_busy", 1.0)
        permit = self.breaker.admit(time.monotonic())
        if isinstance(permit, Refused):
            raise LaneClosed("circuit_open", permit.retry_after_s)
        self.in_flight += 1
        self._show()
        return permit

    def settle(self, permit: Permit, outcome: Outcome) -> None:
        """The request is over."""
        self.in_flight -= 1
        self.breaker.settle(permit, outcome, time.monotonic())
        self._show()

    def show(self) -> None:
        """Set the gauge of requests under way."""
        IN_FLIGHT.labels(self.name).set(self.in_flight)

    def _show(self) -> None:
        state = self.breaker.state
        if state is not self._shown:
            self._shown = state
            OPEN.labels(self.name).set(state is not State.CLOSED)


class _Attempt:
    """One request on a lane. A class, not a generator: this is every request's path."""

    __slots__ = ("_exchange", "_lane", "_outcome", "_permit", "_request", "_settled", "_timeout_s")

    def __init__(self, lane: Lane, request: UpstreamRequest, timeout_s: float | None) -> None:
        self._lane = lane
        self._request = request
        self._timeout_s = timeout_s
        self._outcome = Outcome.ABANDONED
        self._settled = False

    async def __aenter__(self) -> UpstreamResponse:
        self._permit = self._lane.admit()
        try:
            self._exchange = self._lane.upstream.exchange(self._request)
            response = await self._head()
        except BaseException as error:
            self._lane.settle(self._permit, self._judged(error))
            raise
        self._outcome = Outcome.FAILURE if response.status in FAILING else Outcome.SUCCESS
        self._request.fate.settle = self._settle
        return response

    async def _head(self) -> UpstreamResponse:
        if self._timeout_s is None:
            return await self._exchange.__aenter__()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange.__aenter__()
        except TimeoutError as error:
            raise TimedOut(f"{self._lane.name} gave no answer in time") from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._outcome is Outcome.SUCCESS:
            self._outcome = self._judged(error)
        try:
            await self._exchange.__aexit__(kind, error, trace)
        finally:
            self._settle()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._request.fate.settle = None  # it knows us: together we would wait for the garbage collector
            self._lane.settle(self._permit, self._outcome)

    def _judged(self, error: BaseException) -> Outcome:
        fate = self._request.fate
        if isinstance(error, Stale):
            return Outcome.ABANDONED
        if fate.timed_out or (isinstance(error, UpstreamFault) and not fate.sender_failed):
            return Outcome.FAILURE
        return Outcome.ABANDONED
