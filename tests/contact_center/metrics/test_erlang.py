"""Against published tables: C1 and C4 of Erlang C, A1 to A3 of Erlang A."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_contact_center.metrics.domain.erlang import agents_needed, erlang_a, erlang_b, erlang_c


class TestErlangC:
    @pytest.mark.parametrize(
        ("given_", "expected"),
        [((100, 180, 7, 20), (0.7143, 0.3241, 29.17, 0.7404)), ((40, 600, 8, 600), (0.8333, 0.5327, 239.7, 0.8596))],
        ids=["C1", "C4"],
    )
    def test_equals_the_table(self, given_: tuple[float, ...], expected: tuple[float, ...]) -> None:
        per_hour, aht_s, agents, threshold_s = given_
        found = erlang_c(per_hour=per_hour, aht_s=aht_s, agents=int(agents), threshold_s=threshold_s)
        figures = (found.occupancy, found.waits, found.asa_s, found.service_level)
        for figure, wanted in zip(figures, expected, strict=True):
            assert figure == pytest.approx(wanted, abs=5e-5, rel=2e-4)

    def test_too_few_agents_never_catch_up(self) -> None:
        assert erlang_c(per_hour=100, aht_s=180, agents=5, threshold_s=20).service_level == 0

    def test_the_fewest_agents_are_found(self) -> None:
        needed = agents_needed(per_hour=100, aht_s=180, threshold_s=20, service_level=0.8)
        assert erlang_c(per_hour=100, aht_s=180, agents=needed, threshold_s=20).service_level >= 0.8
        assert erlang_c(per_hour=100, aht_s=180, agents=needed - 1, threshold_s=20).service_level < 0.8


class TestErlangA:
    @pytest.mark.parametrize(
        ("given_", "expected"),
        [
            ((100, 180, 5, 60, 20), (0.4495, 0.2193, 9.24, 16.85, 0.6515, 0.8344, 0.7628, 0.7807)),
            ((360, 240, 24, 120, 20), (0.4469, 0.0949, 10.33, 12.59, 0.7195, 0.7949, 0.7743, 0.9051)),
            ((1200, 300, 100, 90, 20), (0.3715, 0.0515, 4.33, 4.88, 0.8800, 0.9278, 0.9245, 0.9485)),
        ],
        ids=["A1", "A2", "A3"],
    )
    def test_equals_the_table(self, given_: tuple[float, ...], expected: tuple[float, ...]) -> None:
        per_hour, aht_s, agents, patience_s, threshold_s = given_
        found = erlang_a(
            per_hour=per_hour, aht_s=aht_s, agents=int(agents), patience_s=patience_s, threshold_s=threshold_s
        )
        figures = (
            found.waits,
            found.abandoned,
            found.asa_answered_s,
            found.asa_all_queue_time_s,
            found.service_level_offered,
            found.service_level_answered,
            found.service_level_with_early_abandons,
            found.occupancy,
        )
        for figure, wanted in zip(figures, expected, strict=True):
            assert figure == pytest.approx(wanted, abs=6e-5 if wanted < 1 else 6e-3)

    def test_endless_patience_is_erlang_c(self) -> None:
        patient = erlang_a(per_hour=100, aht_s=180, agents=7, patience_s=1e7, threshold_s=20)
        certain = erlang_c(per_hour=100, aht_s=180, agents=7, threshold_s=20)
        assert patient.service_level_offered == pytest.approx(certain.service_level, abs=1e-4)
        assert patient.waits == pytest.approx(certain.waits, abs=1e-4)


class TestErlangB:
    @given(st.floats(0.1, 50), st.integers(1, 60))
    def test_another_agent_never_makes_it_worse(self, load: float, agents: int) -> None:
        assert erlang_b(load, agents + 1) <= erlang_b(load, agents)

    @given(st.floats(0.1, 20), st.integers(1, 40))
    def test_equals_its_definition(self, load: float, agents: int) -> None:
        terms = [1.0]
        for number in range(1, agents + 1):
            terms.append(terms[-1] * load / number)
        assert isclose(erlang_b(load, agents), terms[-1] / sum(terms), rel_tol=1e-9)
