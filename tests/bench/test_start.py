"""The benchmark of the start, in short."""

import pytest

from .__main__ import measure

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(180)]


def test_the_suite_starts_twice_and_its_family_is_weighed() -> None:
    figures = {figure.name: figure.value for figure in measure("start", short=True).figures}
    parts = [value for name, value in figures.items() if name.startswith("memory at rest: ")]
    assert len(parts) == 4
    assert all(value > 10 for value in parts)
    assert figures["cold `make run` to the first answered request"] > 0
