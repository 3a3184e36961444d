"""The benchmark of jobs beside requests, in short."""

import pytest

from .__main__ import measure

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(180)]


def test_every_job_is_run_beside_a_load_whose_requests_are_all_answered() -> None:
    figures = {figure.name: figure for figure in measure("jobs", short=True).figures}
    assert figures["requests not answered with 200"].held
    held_against_the_quiet = [name for name in figures if name.endswith("p99 ÷ quiet p99")]
    assert len(held_against_the_quiet) == 7
    assert all(figures[name].value > 0 for name in held_against_the_quiet)
