"""When a failed delivery is tried again: ten times over three days, ever more rarely, never all at one moment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WAITS: Sequence[timedelta] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The wait after the first failure, the second, …: the schedule that Standard Webhooks gives as its example."""
MOST_ATTEMPTS = len(WAITS) + 1
_JITTER = 0.1
_LONGEST_WISH = timedelta(days=1)
"""Who asks us to come back later than this is asked again anyway."""


def next_try(failures: int, *, now: datetime, chance: float) -> datetime | None:
    """When to try again after so many failures, or None when it is over. `chance` (0 to 1) spreads the tries."""
    if failures >= MOST_ATTEMPTS:
        return None
    return now + WAITS[max(failures, 1) - 1] * (1 + _JITTER * (2 * chance - 1))


def wished_pause(retry_after: str | None, *, now: datetime) -> timedelta:
    """How long the receiver asks to be left alone by `Retry-After` (RFC 9110 §10.2.3); a day at most."""
    if retry_after is None:
        return timedelta()
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text[:9]), 10**8)), _LONGEST_WISH)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return timedelta()
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(timedelta(), min(until - now, _LONGEST_WISH))
