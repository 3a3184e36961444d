import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.errors import Invalid
from crm_shared.ids import ID_TAIL, new_id, parse_id, public_id


@given(st.uuids())
def test_an_id_comes_back_from_its_text(value: UUID) -> None:
    assert parse_id("cus", public_id("cus", value)) == value


@given(st.uuids(), st.uuids())
def test_texts_sort_as_the_ids_do(one: UUID, other: UUID) -> None:
    assert (one < other) == (public_id("cus", one) < public_id("cus", other))


@given(st.text(max_size=40))
def test_any_other_text_is_refused_and_never_repaired(text: str) -> None:
    try:
        value = parse_id("cus", text)
    except Invalid:
        return
    assert public_id("cus", value) == text


@pytest.mark.parametrize(
    "change", [str.upper, lambda t: t.replace("cus", "deal"), lambda t: t[:-1], lambda t: t[:-1] + "1"]
)
def test_near_misses_are_refused(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Invalid):
        parse_id("cus", change(public_id("cus", UUID(int=0))))


def test_new_ids_ascend_and_are_version_7() -> None:
    made = [new_id() for _ in range(1_000)]
    assert made == sorted(made)
    assert {value.version for value in made} == {7}


@given(st.sampled_from(["cus", "deal", "opcus", "a_b"]), st.sampled_from(["cus", "deal", "opcus", "a_b"]), st.uuids())
def test_an_id_of_one_kind_is_none_of_another(one: str, other: str, value: UUID) -> None:
    if one != other:
        with pytest.raises(Invalid):
            parse_id(other, public_id(one, value))


@given(st.one_of(st.uuids().map(lambda value: public_id("cus", value)), st.from_regex(r"\Acus_[0-9a-w]{25,27}\Z")))
def test_the_documented_form_is_exactly_what_is_read(text: str) -> None:
    try:
        parse_id("cus", text)
        read = True
    except Invalid:
        read = False
    assert read == bool(re.fullmatch(f"cus_{ID_TAIL}", text))
