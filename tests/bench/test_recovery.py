"""The suite killed amid its demo, in short: once, when a wave of mails was in the air."""

import pytest

from .__main__ import measure

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(400)]


def test_after_a_kill_of_every_process_the_demo_comes_to_the_same_totals() -> None:
    figures = measure("recovery", short=True).figures
    assert {figure.name: figure.value for figure in figures if not figure.held} == {}
    found = {figure.name: figure.value for figure in figures}
    assert found["kills of every process, PostgreSQL's too"] == 1
    assert found["mails of unknown fate, most in a run"] > 0, "the kill came too late to matter"
