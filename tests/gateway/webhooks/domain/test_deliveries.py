"""What a delivery comes to."""

from datetime import UTC, datetime

import pytest

from crm_gateway.webhooks.domain.deliveries import Answered, Reason, State, settle
from crm_gateway.webhooks.domain.retries import MOST_ATTEMPTS

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def answered(status: int | None) -> Answered:
    return Answered(status, None if status else "no answer", "", None, 3)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_status_of_success_is_one(status: int) -> None:
    assert settle(0, answered(status), now=NOW, chance=0.5).state is State.DELIVERED


@pytest.mark.parametrize("status", [None, 101, 300, 301, 302, 307, 308, 400, 404, 409, 429, 500, 502, 503, 504])
def test_nothing_else_is(status: int | None) -> None:
    settled = settle(0, answered(status), now=NOW, chance=0.5)
    assert (settled.state, settled.failures) == (State.PENDING, 1)
    assert settled.next_at is not None
    assert settled.next_at > NOW


def test_the_last_failure_is_final() -> None:
    settled = settle(MOST_ATTEMPTS - 1, answered(500), now=NOW, chance=0.5)
    assert (settled.state, settled.reason, settled.next_at) == (State.FAILED, Reason.ATTEMPTS_USED_UP, None)


def test_gone_is_final_at_once() -> None:
    assert settle(0, answered(410), now=NOW, chance=0.5).state is State.DROPPED
