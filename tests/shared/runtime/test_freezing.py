"""What a process settles once it has started."""

import gc
from collections.abc import Iterator

import pytest

from crm_shared.runtime.freezing import THRESHOLDS, freeze_start_up


@pytest.fixture(autouse=True)
def collector_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_collections_pass_over_what_start_up_made_and_a_wave_of_new_objects_causes_none() -> None:
    freeze_start_up()
    assert gc.get_freeze_count() > 10_000
    before = gc.get_stats()[0]["collections"]
    wave = [[number] for number in range(THRESHOLDS[0] // 2)]
    assert gc.get_stats()[0]["collections"] == before
    assert len(wave) == THRESHOLDS[0] // 2
