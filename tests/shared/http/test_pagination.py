from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.errors import Invalid
from crm_shared.http.pagination import Cursors

values = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.integers(-(2**53), 2**53),
    st.uuids(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(timezones=st.just(UTC)),
)
keys = st.lists(values, min_size=1, max_size=3).map(tuple)
bindings = st.lists(st.text(max_size=8), min_size=1, max_size=4)
HERE = Cursors("secret", "tenant", "/v1/notes", "{}")


@given(keys)
def test_a_sort_key_comes_back_as_it_was(key: tuple[Any, ...]) -> None:
    got = HERE.read(HERE.write(key))
    assert got == key
    assert [type(value) for value in got] == [type(value) for value in key]


@given(keys, st.data())
def test_any_flipped_bit_is_refused(key: tuple[Any, ...], data: st.DataObject) -> None:
    cursor = HERE.write(key)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda letter: letter != cursor[place]))
    with pytest.raises(Invalid) as caught:
        HERE.read(cursor[:place] + other + cursor[place + 1 :])
    assert caught.value.code == "cursor_invalid"


@given(st.text(max_size=80))
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(Invalid):
        HERE.read(text)


@given(bindings, bindings)
def test_a_cursor_belongs_to_its_secret_tenant_route_and_filters(mine: list[str], yours: list[str]) -> None:
    cursor = Cursors("secret", *mine).write((1,))
    if mine == yours:
        assert Cursors("secret", *yours).read(cursor) == (1,)
        return
    with pytest.raises(Invalid):
        Cursors("secret", *yours).read(cursor)


def test_another_secret_reads_nothing() -> None:
    with pytest.raises(Invalid):
        Cursors("other", "tenant", "/v1/notes", "{}").read(HERE.write((1, Decimal("0.10"), datetime.now(UTC))))
