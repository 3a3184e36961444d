from hypothesis import given
from hypothesis import strategies as st

from crm_gateway.limits.domain import Buckets, LagLimits, LoadGauge, Policy, Priority

POLICY = Policy("default", quota=10, window_s=5.0)


class TestBuckets:
    def test_a_burst_of_the_quota_passes_and_the_next_is_told_when_to_come_back(self):
        buckets = Buckets(POLICY)
        verdicts = [buckets.take("a", 100.0) for _ in range(11)]
        assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False]
        assert [verdict.remaining for verdict in verdicts[:3]] == [9, 8, 7]
        assert verdicts[-1].retry_after_s == 1
        assert verdicts[-1].reset_s == 5

    def test_waiting_as_long_as_told_is_enough(self):
        buckets = Buckets(Policy("slow", quota=1, window_s=60.0))
        buckets.take("a", 0.0)
        refused = buckets.take("a", 1.0)
        assert not refused.allowed
        assert buckets.take("a", 1.0 + refused.retry_after_s).allowed

    def test_one_key_does_not_use_up_anothers_share(self):
        buckets = Buckets(POLICY)
        for _ in range(20):
            buckets.take(("tenant", "loud"), 1.0)
        assert buckets.take(("tenant", "quiet"), 1.0).remaining == 9

    def test_the_least_recently_used_is_forgotten_when_there_are_too_many(self):
        buckets = Buckets(POLICY, capacity=2)
        for key in ("a", "b", "a", "c"):
            buckets.take(key, 1.0)
        assert buckets.take("a", 1.0).remaining == 7
        assert buckets.take("b", 1.0).remaining == 9

    def test_headers_are_in_the_drafts_form(self):
        buckets = Buckets(POLICY)
        assert POLICY.header == b'"default";q=10;w=5'
        assert buckets.header(buckets.take("a", 0.0)) == b'"default";r=9;t=1'

    @given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
    def test_never_more_than_quota_plus_refill_in_any_time(self, waits: list[float]):
        buckets, now, granted = Buckets(POLICY), 0.0, 0
        for wait in waits:
            now += wait
            granted += buckets.take("a", now).allowed
            assert granted <= 10 + now * 2 + 1e-6

    def test_a_clock_that_steps_back_grants_nothing(self):
        buckets = Buckets(POLICY)
        for _ in range(10):
            buckets.take("a", 100.0)
        assert not buckets.take("a", 50.0).allowed


class TestLoadGauge:
    def test_one_long_callback_sheds_nobody(self):
        gauge = LoadGauge(samples=5)
        for lag in (0.0, 3.0, 0.0, 0.0, 0.0, 0.0):
            gauge.sample(lag)
        assert not gauge.sheds(Priority.BULK)

    def test_standing_lag_sheds_bulk_first_then_the_rest_but_never_the_vital(self):
        gauge = LoadGauge(LagLimits(bulk_s=0.2, normal_s=1.0), samples=3)
        for _ in range(3):
            gauge.sample(0.3)
        assert (gauge.sheds(Priority.BULK), gauge.sheds(Priority.NORMAL)) == (True, False)
        for _ in range(3):
            gauge.sample(1.5)
        assert (gauge.sheds(Priority.NORMAL), gauge.sheds(Priority.VITAL)) == (True, False)

    def test_one_prompt_moment_ends_it(self):
        gauge = LoadGauge(samples=3)
        for lag in (2.0, 2.0, 2.0, 0.0):
            gauge.sample(lag)
        assert not gauge.sheds(Priority.BULK)
