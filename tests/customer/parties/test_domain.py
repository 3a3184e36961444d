from hypothesis import given
from hypothesis import strategies as st

from crm_customer.parties.domain import (
    Category,
    ContactChannel,
    ContactPoint,
    Kind,
    Profile,
    carried_over,
    changes_between,
    completeness,
    fold,
)

POINTS = st.lists(
    st.builds(
        lambda channel, value, preferred, verified: ContactPoint(channel, value, value.lower(), preferred, verified),
        st.sampled_from(ContactChannel),
        st.sampled_from(["A", "a", "b"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_case_accents_and_spaces_do_not_matter() -> None:
    assert fold("  Ádám\t STRASSE ") == fold("adam straße") == "adam strasse"


@given(POINTS, POINTS)
def test_points_are_kept_once_and_one_a_channel_is_preferred(
    before: list[ContactPoint], new: list[ContactPoint]
) -> None:
    kept = carried_over(before, new)
    assert len({point.key for point in kept}) == len(kept)
    assert {point.key for point in kept} == {point.key for point in new}
    preferred = [point.channel for point in kept if point.preferred]
    assert len(set(preferred)) == len(preferred)
    assert carried_over(before, kept) == kept


@given(POINTS, POINTS)
def test_what_was_verified_stays_verified(before: list[ContactPoint], new: list[ContactPoint]) -> None:
    verified = {point.key for point in before if point.verified}
    assert all(point.verified for point in carried_over(before, new) if point.key in verified)


def test_a_fuller_record_is_more_complete() -> None:
    bare = Profile(Kind.PERSON, Category.CONSUMER, "Ada")
    mail = ContactPoint(ContactChannel.EMAIL, "a@b.c", "a@b.c")
    fuller = Profile(Kind.PERSON, Category.CONSUMER, "Ada", given_name="Ada", country="DE", contact_points=(mail,))
    assert completeness(bare) == 0 < completeness(fuller) < 100
    assert [change.field for change in changes_between(bare, fuller)] == ["given_name", "country", "contact_points"]
