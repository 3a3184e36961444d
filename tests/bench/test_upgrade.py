"""The release before replaced by this one under load, in short: over the embedded bus."""

import pytest

from .__main__ import measure
from .upgrade.releases import NoReleaseBefore

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]


def test_an_upgrade_fails_no_request_loses_no_event_and_repeats_none() -> None:
    try:
        figures = {figure.name: figure.value for figure in measure("upgrade", short=True).figures}
    except NoReleaseBefore as why:
        pytest.skip(f"NO RELEASE BEFORE, SO NO UPGRADE TESTED: {why}")
    wrong = (
        "requests that failed",
        "customers told registered and not there as told",
        "customers registered twice",
        "events lost",
        "events published twice",
        "effects missing or out of order",
        "keys that wait",
    )
    assert {name: figures[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert figures["events applied since new workers stood beside old ones"] > 0
