from crm_gateway.proxy.domain.breaker import Breaker, BreakerPolicy, Outcome, Permit, Refused, State

POLICY = BreakerPolicy(window_s=10, minimum=4, failure_ratio=0.5, rest_s=2, longest_rest_s=5)


def call(breaker: Breaker, outcome: Outcome, now: float) -> None:
    permit = breaker.admit(now)
    assert isinstance(permit, Permit)
    breaker.settle(permit, outcome, now)


def opened() -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(4):
        call(breaker, Outcome.FAILURE, 100.0)
    assert breaker.state is State.OPEN
    return breaker


def test_it_stays_closed_below_the_least_number_of_calls():
    breaker = Breaker(POLICY)
    for _ in range(3):
        call(breaker, Outcome.FAILURE, 1.0)
    assert breaker.state is State.CLOSED


def test_it_opens_at_the_failure_ratio_and_not_below():
    breaker = Breaker(POLICY)
    for outcome in (Outcome.SUCCESS,) * 3 + (Outcome.FAILURE,) * 2:
        call(breaker, outcome, 1.0)
    assert breaker.state is State.CLOSED
    call(breaker, Outcome.FAILURE, 1.0)
    assert breaker.state is State.OPEN


def test_old_failures_leave_the_window():
    breaker = Breaker(POLICY)
    for _ in range(3):
        call(breaker, Outcome.FAILURE, 1.0)
    call(breaker, Outcome.FAILURE, 30.0)
    assert breaker.state is State.CLOSED


def test_clients_who_leave_say_nothing_about_the_upstream():
    breaker = Breaker(POLICY)
    for _ in range(20):
        call(breaker, Outcome.ABANDONED, 1.0)
    assert breaker.state is State.CLOSED


def test_open_refuses_and_says_how_long():
    refused = opened().admit(101.5)
    assert isinstance(refused, Refused)
    assert abs(refused.retry_after_s - 0.5) < 1e-9


def test_after_the_rest_one_probe_passes_and_only_one():
    breaker = opened()
    probe = breaker.admit(102.1)
    assert isinstance(probe, Permit)
    assert breaker.state is State.HALF_OPEN
    assert isinstance(breaker.admit(102.1), Refused)


def test_a_probe_that_succeeds_closes_it_with_a_clean_slate():
    breaker = opened()
    call(breaker, Outcome.SUCCESS, 102.1)
    assert breaker.state is State.CLOSED
    call(breaker, Outcome.FAILURE, 102.2)
    assert breaker.state is State.CLOSED


def test_a_probe_that_fails_doubles_the_rest_up_to_the_longest():
    breaker = opened()
    call(breaker, Outcome.FAILURE, 102.1)
    refused = breaker.admit(102.1)
    assert isinstance(refused, Refused)
    assert refused.retry_after_s == 4
    call(breaker, Outcome.FAILURE, 107.0)
    refused = breaker.admit(107.0)
    assert isinstance(refused, Refused)
    assert refused.retry_after_s == 5


def test_a_probe_whose_client_left_frees_the_way_for_the_next():
    breaker = opened()
    call(breaker, Outcome.ABANDONED, 102.1)
    assert isinstance(breaker.admit(102.2), Permit)


def test_results_from_before_it_opened_are_ignored():
    breaker = Breaker(POLICY)
    late = breaker.admit(99.0)
    assert isinstance(late, Permit)
    for _ in range(4):
        call(breaker, Outcome.FAILURE, 100.0)
    breaker.settle(late, Outcome.SUCCESS, 101.0)
    assert breaker.state is State.OPEN
    probe = breaker.admit(102.1)
    assert isinstance(probe, Permit)
    breaker.settle(late, Outcome.SUCCESS, 102.2)
    assert breaker.state is State.HALF_OPEN
