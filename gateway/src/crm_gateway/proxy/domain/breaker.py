"""A circuit breaker per upstream: stop asking what keeps failing, and try again carefully."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_SLICES = 10


class State(StrEnum):
    """Whether calls pass: all, none, or one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """How a call ended; `ABANDONED` (the client left) says nothing about the upstream."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Opens when, within `window_s`, at least `minimum` calls were seen and `failure_ratio` of them failed.

    It stays open for `rest_s`, doubled after each failed probe up to `longest_rest_s`.
    """

    window_s: float = 10.0
    minimum: int = 20
    failure_ratio: float = 0.5
    rest_s: float = 2.0
    longest_rest_s: float = 30.0


class Permit(NamedTuple):
    """Leave for one call; results of calls from before a change of state are ignored by its `generation`."""

    generation: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No call now; worth trying again after `retry_after_s`."""

    retry_after_s: float


class Breaker:
    """The state of one upstream. Times are monotonic seconds, passed in."""

    def __init__(self, policy: BreakerPolicy = BreakerPolicy()) -> None:
        self._policy = policy
        self._slice_s = policy.window_s / _SLICES
        self._counts = [[0, 0] for _ in range(_SLICES)]  # successes, failures
        self._slice = 0
        self._generation = 0
        self._rest_s = policy.rest_s
        self._opened_at = 0.0
        self._probing = False
        self.state = State.CLOSED

    def admit(self, now: float) -> Permit | Refused:
        """Leave for one call, or how long to wait."""
        if self.state is State.CLOSED:
            return Permit(self._generation)
        wait = self._opened_at + self._rest_s - now
        if self.state is State.OPEN and wait > 0:
            return Refused(wait)
        if self._probing:
            return Refused(self._policy.rest_s)
        self._turn(State.HALF_OPEN)
        self._probing = True
        return Permit(self._generation)

    def settle(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Learns how an admitted call ended; every permit is settled exactly once."""
        if permit.generation != self._generation:
            return
        if self.state is State.HALF_OPEN:
            self._settle_probe(outcome, now)
        elif outcome is not Outcome.ABANDONED:
            self._count(outcome, now)

    def _settle_probe(self, outcome: Outcome, now: float) -> None:
        self._probing = False
        if outcome is Outcome.SUCCESS:
            self._rest_s = self._policy.rest_s
            self._counts = [[0, 0] for _ in range(_SLICES)]
            self._turn(State.CLOSED)
        elif outcome is Outcome.FAILURE:
            self._rest_s = min(self._policy.longest_rest_s, self._rest_s * 2)
            self._open(now)

    def _count(self, outcome: Outcome, now: float) -> None:
        current = int(now / self._slice_s)
        if current > self._slice:
            for passed in range(min(_SLICES, current - self._slice)):
                self._counts[(current - passed) % _SLICES] = [0, 0]
            self._slice = current
        self._counts[current % _SLICES][outcome is Outcome.FAILURE] += 1
        if outcome is not Outcome.FAILURE:
            return
        failures = sum(count[1] for count in self._counts)
        total = failures + sum(count[0] for count in self._counts)
        if total >= self._policy.minimum and failures >= self._policy.failure_ratio * total:
            self._open(now)

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._turn(State.OPEN)

    def _turn(self, state: State) -> None:
        self.state = state
        self._generation += 1
