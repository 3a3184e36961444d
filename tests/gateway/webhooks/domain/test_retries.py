"""When failed deliveries are tried again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crm_gateway.webhooks.domain.retries import MOST_ATTEMPTS, next_try, wished_pause

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def schedule(chance: float) -> list[datetime]:
    at, tries = NOW, [NOW]
    while (following := next_try(len(tries), now=at, chance=chance)) is not None:
        at = following
        tries.append(at)
    return tries


@given(st.floats(0, 1))
def test_ten_tries_span_three_days_ever_further_apart(chance: float) -> None:
    tries = schedule(chance)
    assert len(tries) == MOST_ATTEMPTS == 10
    assert timedelta(hours=66) < tries[-1] - tries[0] < timedelta(hours=84)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)


def test_chance_spreads_those_that_failed_together() -> None:
    assert len({next_try(3, now=NOW, chance=chance) for chance in (0.0, 0.3, 0.7, 1.0)}) == 4


def test_a_receiver_may_ask_for_a_pause_in_seconds_or_until_a_time() -> None:
    assert wished_pause("120", now=NOW) == timedelta(minutes=2)
    assert wished_pause("Mon, 02 Mar 2026 09:05:00 GMT", now=NOW) == timedelta(minutes=5)
    assert wished_pause(None, now=NOW) == timedelta()


def test_no_pause_is_longer_than_a_day_and_none_lies_in_the_past() -> None:
    assert wished_pause("999999999999999999999", now=NOW) == timedelta(days=1)
    assert wished_pause("Mon, 02 Mar 2099 09:05:00 GMT", now=NOW) == timedelta(days=1)
    assert wished_pause("Mon, 02 Mar 2020 09:05:00 GMT", now=NOW) == timedelta()


@given(st.text())
def test_whatever_a_receiver_asks_for_is_a_pause(text: str) -> None:
    assert timedelta() <= wished_pause(text, now=NOW) <= timedelta(days=1)
