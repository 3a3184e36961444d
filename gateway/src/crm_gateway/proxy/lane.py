"""One upstream with its safeguards: breaker, cap of requests under way, and the share of retries."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from crm_gateway.proxy.domain.breaker import Breaker, BreakerPolicy, Outcome, Refused
from crm_gateway.proxy.domain.retries import RetryBudget
from crm_gateway.proxy.upstream import TimedOut, Upstream, UpstreamFault, UpstreamRequest, UpstreamResponse

FAILING = frozenset({502, 503, 504})
"""Answers that mean the upstream itself is in trouble; a 500 is one route's bug and says nothing of the others."""


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
        self._most_in_flight = policy.most_in_flight

    @asynccontextmanager
    async def attempt(self, request: UpstreamRequest, *, timeout_s: float) -> AsyncGenerator[UpstreamResponse]:
        """One attempt, counted by the breaker; its head must arrive within `timeout_s`.

        Raises:
            LaneClosed: it isn't asked now.
            UpstreamFault: it gave no answer.
        """
        if self.in_flight >= self._most_in_flight:
            raise LaneClosed("upstream_busy", 1.0)
        permit = self.breaker.admit(time.monotonic())
        if isinstance(permit, Refused):
            raise LaneClosed("circuit_open", permit.retry_after_s)
        self.in_flight += 1
        outcome = Outcome.ABANDONED
        try:
            async with asyncio.timeout(timeout_s) as limit, self.upstream.exchange(request) as response:
                limit.reschedule(None)
                outcome = Outcome.FAILURE if response.status in FAILING else Outcome.SUCCESS
                yield response
        except TimeoutError as error:
            outcome = Outcome.FAILURE
            raise TimedOut(f"{self.name} gave no answer within {timeout_s:.3f} s") from error
        except UpstreamFault:
            outcome = Outcome.ABANDONED if request.sender_failed() else Outcome.FAILURE
            raise
        finally:
            self.in_flight -= 1
            self.breaker.settle(permit, outcome, time.monotonic())
