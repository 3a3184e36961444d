"""When a request is sent again, and after how long."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

REFUSED_FOR_NOW = frozenset({429, 502, 503, 504})
IN_FLIGHT = "request_in_flight"


@dataclass(frozen=True, slots=True)
class Retries:
    """Waits double from try to try, each shortened by chance so that clients don't come back together."""

    attempts: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 8.0
    longest_asked_s: float = 60.0
    """A server that asks for a longer wait than this gets no further try; the error says how long."""

    def wait_s(self, attempt: int, asked_s: float | None) -> float | None:
        """How long to wait after the `attempt`-th try, counted from 1; None when it was the last."""
        if attempt >= self.attempts:
            return None
        longest = min(self.longest_wait_s, self.first_wait_s * 2 ** (attempt - 1))
        chance = random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing
        if asked_s is None:
            return chance
        return None if asked_s > self.longest_asked_s else asked_s + chance / 10


def may_pass(status: int, code: str, *, repeatable: bool) -> bool:
    """Whether the same request may succeed later.

    A request whose connection broke may still be at work when it comes again; its key tells, and its answer follows.
    """
    if repeatable:
        return status in REFUSED_FOR_NOW or (status == 409 and code == IN_FLIGHT)
    return status == 429


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """`Retry-After`, in seconds or as a date (RFC 9110, 10.2.3)."""
    told = headers.get("retry-after", "").strip()
    if not told:
        return None
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
