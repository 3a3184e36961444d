"""Token buckets, the headers that tell a client where it stands, and when to shed load."""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from math import ceil
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Policy:
    """A share of requests: `quota` per `window_s` seconds, refilled evenly; the quota is also the largest burst."""

    name: str
    quota: int
    window_s: float

    @property
    def header(self) -> bytes:
        """The `RateLimit-Policy` value (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.name}";q={self.quota};w={ceil(self.window_s)}'.encode()


class Verdict(NamedTuple):
    """Whether one request fits its share; `retry_after_s` is 0 when it does."""

    allowed: bool
    remaining: int
    reset_s: int
    retry_after_s: int


class Buckets:
    """The buckets of one policy, one per key.

    At most `capacity` are kept; beyond that the least recently used is forgotten, which can only favour its owner.
    """

    def __init__(self, policy: Policy, *, capacity: int = 50_000) -> None:
        self.policy = policy
        self.policy_header = policy.header
        self._capacity = capacity
        self._quota = float(policy.quota)
        self._rate = policy.quota / policy.window_s
        self._levels: dict[object, tuple[float, float]] = {}

    def take(self, key: object, now: float, *, cost: int = 1) -> Verdict:
        """Takes `cost` tokens of `key`'s bucket at the monotonic time `now`, or says when to come back."""
        level, at = self._levels.pop(key, (self._quota, now))
        if now > at:
            level = min(self._quota, level + (now - at) * self._rate)
        retry_after_s = 0
        if level >= cost:
            level -= cost
        else:
            retry_after_s = max(1, ceil((cost - level) / self._rate))
        self._levels[key] = (level, now)  # re-inserted last: the dictionary's order is the order of use
        if len(self._levels) > self._capacity:
            del self._levels[next(iter(self._levels))]
        return Verdict(not retry_after_s, int(level), ceil((self._quota - level) / self._rate), retry_after_s)

    def header(self, verdict: Verdict) -> bytes:
        """The `RateLimit` value: what remains, and seconds until the bucket is full again."""
        return f'"{self.policy.name}";r={verdict.remaining};t={verdict.reset_s}'.encode()


class Priority(IntEnum):
    """What goes first when there is too much: the lower the number, the earlier it is shed."""

    BULK = 0
    NORMAL = 1
    VITAL = 2


@dataclass(frozen=True, slots=True)
class LagLimits:
    """Event-loop lag in seconds above which requests of a priority are shed."""

    bulk_s: float = 0.25
    normal_s: float = 1.0


class LoadGauge:
    """Standing event-loop lag: the *least* lag of the last samples, so that one long callback sheds nobody.

    The idea is CoDel's (RFC 8289): a short burst drains by itself; only a queue that never empties is overload.
    """

    def __init__(self, limits: LagLimits = LagLimits(), *, samples: int = 10) -> None:
        self._limits = limits
        self._recent: deque[float] = deque(maxlen=samples)
        self.standing_s = 0.0

    def sample(self, lag_s: float) -> None:
        """Adds one measurement of how late the loop was."""
        self._recent.append(max(0.0, lag_s))
        full = len(self._recent) == self._recent.maxlen
        self.standing_s = min(self._recent) if full else 0.0

    def sheds(self, priority: Priority) -> bool:
        """Whether a request of this priority is turned away now."""
        if priority is Priority.VITAL:
            return False
        limit = self._limits.bulk_s if priority is Priority.BULK else self._limits.normal_s
        return self.standing_s > limit
