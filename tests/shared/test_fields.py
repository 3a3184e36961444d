"""What the kinds of fields take is exactly what their schemas say."""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field, TypeAdapter, ValidationError

from crm_shared.fields import Day, DecimalField, DecimalText, Instant, MoneyField, Strict, TimeOfDay


class Leaf(Strict):
    count: int = 0
    share: float = 0.0
    sure: bool = False
    default: int = 0
    """Named as a key of pydantic's schemas is."""


class Tree(Strict):
    leaf: Leaf | None = None
    named: dict[str, Leaf] = Field(default_factory=dict[str, Leaf])
    children: list["Tree"] = Field(default_factory=list)
    pairs: tuple[int, ...] = ()


class Dates(Strict):
    at: Instant | None = None
    day: Day | None = None
    hour: TimeOfDay | None = None


NEVER = [
    {"count": "5"},
    {"count": True},
    {"count": 1.5},
    {"share": "0.5"},
    {"share": False},
    {"sure": 0},
    {"sure": "yes"},
    {"default": "1"},
]


@pytest.mark.parametrize("leaf", NEVER, ids=str)
@pytest.mark.parametrize(
    "put",
    [lambda x: {"leaf": x}, lambda x: {"named": {"k": x}}, lambda x: {"children": [{"children": [{"leaf": x}]}]}],
    ids=["field", "mapping", "recursion"],
)
def test_nothing_is_taken_for_a_number_or_a_truth_value_however_deep(leaf: Any, put: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Tree).validate_python(put(leaf))


def test_what_is_right_is_taken_as_it_is() -> None:
    sent = {"leaf": {"count": 5.0, "share": 1, "sure": True}, "pairs": [1, 2], "children": [{}]}
    got = Tree.model_validate(sent)
    assert got.leaf == Leaf(count=5, share=1.0, sure=True)
    assert got.pairs == (1, 2)


@pytest.mark.parametrize("value", [0, 0.5, True, "0", "1e9", "-1", "2026", [], {}])
@pytest.mark.parametrize("name", ["at", "day", "hour"])
def test_a_number_is_no_time(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Dates.model_validate({name: value})


@pytest.mark.parametrize("hour", ["24:00", "8:30", "08:60", "08:30:00Z", "18:17:42-17:01", "08:30:00.5"])
def test_a_time_on_a_clock_has_no_offset(hour: str) -> None:
    with pytest.raises(ValidationError):
        Dates.model_validate({"hour": hour})
    assert not Draft202012Validator(TypeAdapter(TimeOfDay).json_schema()).is_valid(hour)


def test_times_are_written_out() -> None:
    got = Dates.model_validate({"at": "2026-01-31T12:00:00+01:00", "day": "2026-01-31", "hour": "08:30"})
    assert (got.day, got.hour) == (date(2026, 1, 31), time(8, 30))


@given(st.one_of(st.text("0123456789.-+e ", max_size=12), st.decimals(-100, 100, places=3).map(str)))
@pytest.mark.parametrize(
    "kind", [DecimalField, Annotated[Decimal, DecimalText(r"0(\.[0-9]{1,6})?", "0.5")]], ids=["any", "share"]
)
def test_a_decimals_schema_accepts_exactly_what_its_validator_does(kind: Any, text: str) -> None:
    adapter: TypeAdapter[Decimal] = TypeAdapter(kind)
    try:
        taken = adapter.validate_python(text) is not None
    except ValidationError:
        taken = False
    assert taken == Draft202012Validator(adapter.json_schema()).is_valid(text)


@given(
    st.dictionaries(
        st.sampled_from(["amount", "currency", "more"]),
        st.one_of(
            st.from_regex(r"\A-?[0-9]{1,16}(\.[0-9]{0,7})?\Z"), st.sampled_from(["EUR", "eur", "EU1"]), st.integers()
        ),
    )
)
def test_moneys_schema_accepts_exactly_what_its_validator_does(sent: dict[str, Any]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(MoneyField)
    try:
        taken = adapter.validate_python(sent) is not None
    except ValidationError:
        taken = False
    assert taken == Draft202012Validator(adapter.json_schema(mode="validation")).is_valid(sent)


def test_every_pattern_is_anchored() -> None:
    pattern = TypeAdapter(DecimalField).json_schema()["pattern"]
    assert re.fullmatch(r"\^.*\$", pattern)


class Patch(Strict):
    """What may change of something: what isn't named stays."""

    name: str | None = None
    level: int | None = None
    tags: list[str] | None = None


patches = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | st.sampled_from(["a", "b"]),
        "level": st.none() | st.integers(0, 9),
        "tags": st.none() | st.lists(st.sampled_from(["x", "y"]), max_size=2),
    },
)


def changed(state: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """As our commands do it: what was set is laid over what is there, and null empties."""
    laid = {**state, **Patch.model_validate(patch).model_dump(exclude_unset=True)}
    return {name: value for name, value in laid.items() if value is not None}


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396 §2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(patches, patches)
def test_a_patch_means_what_rfc_7396_says(state: dict[str, Any], patch: dict[str, Any]) -> None:
    state = {name: value for name, value in state.items() if value is not None}
    after = changed(state, patch)
    assert after == merged(state, patch)
    assert changed(after, patch) == after
    assert changed(state, {}) == state


@given(patches)
def test_absent_is_not_null(patch: dict[str, Any]) -> None:
    assert Patch.model_validate(patch).model_dump(exclude_unset=True) == patch
