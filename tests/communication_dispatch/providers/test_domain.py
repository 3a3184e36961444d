"""What answers mean."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_communication_dispatch.providers.domain import (
    MAX_ATTEMPTS,
    Fault,
    Outcome,
    Reply,
    Stage,
    TokenBucket,
    back_off,
    classify,
)


@pytest.mark.parametrize(
    ("code", "enhanced", "stage", "outcome", "fault"),
    [
        (250, "2.1.5", Stage.MESSAGE, Outcome.ACCEPTED, Fault.NONE),
        (550, "5.1.1", Stage.RECIPIENT, Outcome.REFUSED, Fault.ADDRESS),
        (550, "5.1.10", Stage.RECIPIENT, Outcome.REFUSED, Fault.ADDRESS),
        (553, "5.1.8", Stage.RECIPIENT, Outcome.REFUSED, Fault.US),
        (552, "5.2.2", Stage.RECIPIENT, Outcome.REFUSED, Fault.MAILBOX),
        (550, "5.7.1", Stage.RECIPIENT, Outcome.REFUSED, Fault.US),
        (554, "5.7.1", Stage.MESSAGE, Outcome.REFUSED, Fault.US),
        (550, "5.1.0", Stage.SENDER, Outcome.REFUSED, Fault.US),
        (554, None, Stage.CONNECT, Outcome.REFUSED, Fault.US),
        (554, "5.6.0", Stage.MESSAGE, Outcome.REFUSED, Fault.CONTENT),
        (552, "5.3.4", Stage.MESSAGE, Outcome.REFUSED, Fault.CONTENT),
        (450, "4.2.1", Stage.RECIPIENT, Outcome.DEFERRED, Fault.BUSY),
        (452, "4.2.2", Stage.RECIPIENT, Outcome.DEFERRED, Fault.MAILBOX),
        (421, None, Stage.MESSAGE, Outcome.DEFERRED, Fault.BUSY),
        (550, None, Stage.RECIPIENT, Outcome.REFUSED, Fault.UNCLEAR),
        (551, None, Stage.RECIPIENT, Outcome.REFUSED, Fault.ADDRESS),
        (450, "5.1.1", Stage.RECIPIENT, Outcome.DEFERRED, Fault.BUSY),
    ],
)
def test_only_a_statement_about_the_address_condemns_it(code, enhanced, stage, outcome, fault):
    assert classify(Reply(code, enhanced, ""), stage) == (outcome, fault)


def test_back_off_grows_to_a_limit_and_ends():
    waits = [back_off(n) for n in range(1, MAX_ATTEMPTS)]
    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=30)
    assert waits[-1] <= timedelta(hours=4)
    assert back_off(MAX_ATTEMPTS) is None


@given(st.integers(1, 500), st.lists(st.floats(0.001, 2.0), min_size=1, max_size=60))
def test_the_rate_is_kept_over_any_stretch(rate, pauses):
    bucket = TokenBucket(float(rate))
    now, sent = 0.0, bucket.take(10_000, now_s=0.0)
    for pause in pauses:
        now += pause
        sent += bucket.take(10_000, now_s=now)
    assert sent <= rate * now + rate + 1


def test_a_steady_sender_reaches_its_rate_within_a_percent():
    bucket, sent = TokenBucket(50.0), 0
    for tick in range(10_000):
        sent += bucket.take(1_000, now_s=tick * 0.01)
    assert sent == pytest.approx(50 * 100, rel=0.01)
