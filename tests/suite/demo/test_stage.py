"""How the demo packs what it sends."""

from hypothesis import given
from hypothesis import strategies as st

from crm_suite.demo.stage import BATCH, batches

SIZES = st.lists(st.integers(1, BATCH), max_size=30)


@given(SIZES)
def test_a_group_is_never_split_and_no_batch_is_too_large(sizes: list[int]) -> None:
    groups = [[number] * size for number, size in enumerate(sizes)]
    packed = batches(groups)
    assert [item for batch in packed for item in batch] == [item for group in groups for item in group]
    assert all(0 < len(batch) <= BATCH for batch in packed)
    homes = [number for batch in packed for number in set(batch)]
    assert len(homes) == len(set(homes))
