import pytest

from crm_shared.errors import PreconditionFailed
from crm_shared.versions import expect_version


def test_who_saw_this_state_or_says_nothing_may_act() -> None:
    expect_version(3, 3)
    expect_version(3, None)


@pytest.mark.parametrize("seen", [2, 4, 0])
def test_who_saw_another_state_may_not(seen: int) -> None:
    with pytest.raises(PreconditionFailed):
        expect_version(3, seen)
