"""The short form of `make fuzz`: the same seed each time, every operation, within the time of one test."""

import pytest

from crm_shared.testing.cluster import Cluster

from .campaign import ENDLESS, Plan, campaign
from .house import open_house

MOSTLY = 0.5
"""The share of operations that some generated request must get through to, or the world is furnished too poorly."""


@pytest.mark.timeout(300)
def test_the_api_does_what_its_document_says(cluster: Cluster) -> None:
    with open_house(cluster) as house:
        found = campaign(house, Plan(phases=("fuzzing", "stateful"), examples=3, scenarios=40))
    assert not found.faults, str(found)
    assert not found.errors, str(found)
    documented = {
        f"{method.upper()} {path}"
        for path, item in house.document["paths"].items()
        for method in item
        if path not in ENDLESS
    }
    assert documented - set(found.operations) == set()
    accepted = [name for name, got in found.operations.items() if any(status < 400 for status in got)]
    assert len(accepted) > MOSTLY * len(documented), sorted(set(found.operations) - set(accepted))
