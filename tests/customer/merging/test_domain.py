from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from crm_customer.merging.domain import Alias, Merge, aliases

START = datetime(2026, 1, 1, tzinfo=UTC)


def record(n: int) -> UUID:
    return UUID(int=n + 1)


def merge_of(n: int, survivor: int, merged: int) -> Merge:
    return Merge(UUID(int=1_000 + n), record(survivor), record(merged), START + timedelta(days=n), "same person")


@st.composite
def histories(draw: st.DrawFn) -> list[Merge]:
    """Merges as the commands allow them: both records answer for themselves when they are merged."""
    made: list[Merge] = []
    free = set(range(8))
    for n in range(draw(st.integers(0, 7))):
        survivor, merged = draw(st.lists(st.sampled_from(sorted(free)), min_size=2, max_size=2, unique=True))
        free.discard(merged)
        made.append(merge_of(n, survivor, merged))
    return made


@given(histories(), st.data())
def test_retracting_a_merge_gives_what_would_be_without_it(made: list[Merge], data: st.DataObject) -> None:
    if made:
        undone = data.draw(st.sampled_from(made))
        never = [merge for merge in made if merge is not undone]
        assert aliases([merge for merge in made if merge.id != undone.id]) == aliases(never)
        assert undone.merged_id not in aliases(never)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_merges_does_not_matter(made: list[Merge], random: object) -> None:
    assert aliases(made) == aliases(list(reversed(made)))


@given(histories())
def test_whoever_answers_answers_for_itself(made: list[Merge]) -> None:
    found = aliases(made)
    assert all(alias.customer_id not in found for alias in found.values())
    assert found.keys() == {merge.merged_id for merge in made}


def test_a_chain_leads_to_its_end_from_when_it_was_closed() -> None:
    found = aliases([merge_of(0, 1, 0), merge_of(1, 2, 1)])
    closed = START + timedelta(days=1)
    assert found == {record(0): Alias(record(0), record(2), closed), record(1): Alias(record(1), record(2), closed)}
