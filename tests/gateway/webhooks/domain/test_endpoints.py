"""How patient we are with an endpoint."""

from datetime import UTC, datetime, timedelta

from crm_gateway.webhooks.domain.endpoints import Health, Seals, has_failed_for, health_after

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NONE = timedelta()


def failed(before: Health, *, now: datetime = NOW, fresh: bool = True, pause: timedelta = NONE) -> Health:
    return health_after(before, succeeded=False, fresh_failed=fresh, pause=pause, now=now)


def test_an_endpoint_that_fails_is_asked_ever_more_rarely_up_to_once_a_minute() -> None:
    health, rests = Health(), []
    for _ in range(9):
        health = failed(health)
        assert health.rests_until is not None
        rests.append((health.rests_until - NOW).total_seconds())
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_one_success_ends_all_of_it() -> None:
    health = health_after(failed(failed(Health())), succeeded=True, fresh_failed=True, pause=NONE, now=NOW)
    assert health == Health()


def test_repeats_that_fail_hold_up_nothing_new() -> None:
    assert failed(Health(), fresh=False).rests_until is None


def test_a_wished_pause_is_kept() -> None:
    assert failed(Health(), pause=timedelta(hours=2)).rests_until == NOW + timedelta(hours=2)


def test_only_an_endpoint_that_never_succeeds_counts_as_failing() -> None:
    health = failed(failed(Health()), now=NOW + timedelta(days=4))
    assert health.failing_since == NOW
    assert not has_failed_for(health, timedelta(days=5), NOW + timedelta(days=4))
    assert has_failed_for(health, timedelta(days=5), NOW + timedelta(days=5))
    assert not has_failed_for(Health(), timedelta(days=5), NOW)


def test_the_secret_before_signs_until_the_overlap_ends() -> None:
    seals = Seals(b"new", b"old", NOW)
    assert seals.holding(NOW - timedelta(seconds=1)) == [b"new", b"old"]
    assert seals.holding(NOW) == [b"new"]
