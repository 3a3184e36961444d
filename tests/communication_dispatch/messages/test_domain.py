"""The life of a message."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_communication_dispatch.messages.domain import (
    END,
    FINAL,
    WAITING,
    ReceiptKind,
    Status,
    after_crash,
    after_receipt,
    may_follow,
    settle,
)
from crm_communication_dispatch.providers.domain import MAX_ATTEMPTS, Answer, Fault, Outcome

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def answer(outcome: Outcome, fault: Fault = Fault.NONE) -> Answer:
    return Answer(UUID(int=1), outcome, fault)


@pytest.mark.parametrize(
    ("given_answer", "attempts", "status", "reason"),
    [
        (answer(Outcome.ACCEPTED), 1, Status.ACCEPTED, None),
        (answer(Outcome.UNKNOWN, Fault.CONNECTION), 1, Status.UNKNOWN, "connection_lost"),
        (answer(Outcome.DEFERRED, Fault.BUSY), 1, Status.QUEUED, "deferred_busy"),
        (answer(Outcome.DEFERRED, Fault.BUSY), MAX_ATTEMPTS, Status.FAILED, "gave_up_busy"),
        (answer(Outcome.REFUSED, Fault.ADDRESS), 1, Status.BOUNCED, "bad_address"),
        (answer(Outcome.REFUSED, Fault.MAILBOX), 1, Status.BOUNCED, "bad_mailbox"),
        (answer(Outcome.REFUSED, Fault.US), 1, Status.FAILED, "refused_us"),
        (answer(Outcome.REFUSED, Fault.UNCLEAR), 1, Status.FAILED, "refused_unclear"),
    ],
)
def test_each_answer_leads_to_one_state(given_answer, attempts, status, reason):
    settled = settle(given_answer, attempts, NOW)
    assert (settled.status, settled.reason) == (status, reason)
    assert (settled.due_at is not None) == (status is Status.QUEUED)
    assert may_follow(Status.ATTEMPTING, settled.status)


def test_throttling_is_tried_again_not_counted_as_lost():
    assert settle(answer(Outcome.DEFERRED, Fault.BUSY), 3, NOW).status is Status.QUEUED


def test_after_a_crash_only_purposes_that_would_rather_arrive_twice_are_retried():
    retried = frozenset({"transactional"})
    assert after_crash("transactional", retried) is Status.QUEUED
    assert after_crash("marketing", retried) is Status.UNKNOWN


def test_final_states_have_no_followers_and_end_states_hold_them():
    for status in FINAL:
        assert not any(may_follow(status, other) for other in Status)
    assert FINAL < END
    assert not END & WAITING


def test_a_late_bounce_moves_an_accepted_message_and_a_second_one_nothing():
    assert after_receipt(Status.ACCEPTED, ReceiptKind.BOUNCED) is Status.BOUNCED
    assert after_receipt(Status.BOUNCED, ReceiptKind.BOUNCED) is None
    assert after_receipt(Status.BOUNCED, ReceiptKind.DELIVERED) is None
    assert after_receipt(Status.DELIVERED, ReceiptKind.ACCEPTED) is None
    assert after_receipt(Status.UNKNOWN, ReceiptKind.DELIVERED) is Status.DELIVERED
    assert after_receipt(Status.QUEUED, ReceiptKind.DELIVERED) is None


@given(st.sampled_from(list(Status)), st.lists(st.sampled_from(list(ReceiptKind)), max_size=12))
def test_receipts_never_move_a_final_state_and_repeats_change_nothing(status, receipts):
    current, final_seen = status, status if status in FINAL else None
    for receipt in receipts:
        following = after_receipt(current, receipt)
        if following is not None:
            assert may_follow(current, following)
            current = following
            assert after_receipt(current, receipt) is None
        if final_seen is not None:
            assert current is final_seen
        elif current in FINAL:
            final_seen = current
