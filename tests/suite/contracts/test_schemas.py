"""Each rule refuses what breaks somebody and lets everything else pass, whoever writes and whoever reads."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as some

from crm_suite.contracts.promises import ANSWERED, ASKED, Use, kept
from crm_suite.contracts.schemas import Comparison

Schema = dict[str, Any]
KEPT = kept("publish crm.x.y.v2 beside it")
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer"}
NAMED: Schema = {"type": "object", "title": "Named", "properties": {"kind": {"const": "named"}, "name": TEXT}}
COUNTED: Schema = {"type": "object", "title": "Counted", "properties": {"kind": {"const": "counted"}, "n": COUNT}}


def thing(*required: str, **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(required)}


def broken(use: Use, old: Schema, new: Schema) -> list[str]:
    return [f"{one.pointer} {one.what}" for one in Comparison(old, new, use).broken(old, new)]


TIGHTER: dict[str, tuple[Schema, Schema, str]] = {
    "a field is required that wasn't": (thing(a=TEXT), thing("a", a=TEXT), "/properties/a is required now"),
    "a new field is required": (thing(), thing("a", a=TEXT), "/properties/a is new and required"),
    "null is refused": ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, " may not be null any more"),
    "a value is refused": ({"enum": ["a", "b"]}, {"enum": ["a"]}, " may not be 'b' any more"),
    "an open text is closed": (TEXT, {**TEXT, "enum": ["a"]}, " only 'a' are allowed now"),
    "an extensible enumeration is closed": (
        {**TEXT, "x-extensible-enum": ["a"]}, {**TEXT, "enum": ["a"]}, " only 'a' are allowed now",
    ),
    "the shortest is longer": ({**TEXT, "minLength": 1}, {**TEXT, "minLength": 2}, " minLength was 1 and is 2 now"),
    "the highest is lower": ({**COUNT, "maximum": 9}, {**COUNT, "maximum": 5}, " maximum was 9 and is 5 now"),
    "a limit comes": (TEXT, {**TEXT, "maxLength": 9}, " maxLength was None and is 9 now"),
    "a pattern comes": (TEXT, {**TEXT, "pattern": "^a"}, " pattern was None and is '^a' now"),
    "any number becomes a whole one": ({"type": "number"}, COUNT, " was number and is integer now"),
    "anything becomes text": ({}, TEXT, " was anything and is string now"),
    "a choice is gone": ({"oneOf": [NAMED, COUNTED]}, NAMED, " may not be counted any more"),
    "unnamed fields are refused": (
        thing(a=TEXT), {**thing(a=TEXT), "additionalProperties": False}, " fields that it doesn't name are refused now",
    ),
    "other fields become text": (
        {"type": "object"}, {"type": "object", "additionalProperties": TEXT},
        " which fields may be there beside those named has changed",
    ),
    "an item is limited": (
        {"type": "array", "items": TEXT}, {"type": "array", "items": {**TEXT, "minLength": 1}},
        "/items minLength was None and is 1 now",
    ),
}  # fmt: skip
"""What breaks whoever goes on sending; turned round, what breaks whoever goes on reading."""
ALWAYS: dict[str, tuple[Schema, Schema, str]] = {
    "text becomes a number": (TEXT, COUNT, " was string and is integer now"),
    "a pattern is another one": ({"pattern": "^a"}, {"pattern": "^b"}, " pattern was '^a' and is '^b' now"),
    "a format is another one": (
        {**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}, " format was 'date' and is 'date-time' now",
    ),
    "an unknown keyword is another one": ({"contains": TEXT}, {"contains": COUNT}, " contains was"),
}  # fmt: skip


@pytest.mark.parametrize("case", TIGHTER)
def test_what_senders_did_is_not_refused_and_what_readers_know_is_not_exceeded(case: str) -> None:
    narrow, wide, told = TIGHTER[case][1], TIGHTER[case][0], TIGHTER[case][2]
    assert broken(ASKED, wide, narrow) == [told]
    assert broken(KEPT, wide, narrow)
    if "new field" not in case and "unnamed fields" not in case:
        assert broken(ASKED, narrow, wide) == []
        assert broken(ANSWERED, wide, narrow) == []
        assert broken(ANSWERED, narrow, wide), case
        assert broken(KEPT, narrow, wide), case


@pytest.mark.parametrize("use", [ASKED, ANSWERED, KEPT], ids=["asked", "answered", "kept"])
@pytest.mark.parametrize("case", ALWAYS)
def test_what_cannot_be_compared_breaks_everybody(case: str, use: Use) -> None:
    old, new, told = ALWAYS[case]
    assert broken(use, old, new)[0].startswith(told)
    assert broken(use, new, old)


@pytest.mark.parametrize("use", [ANSWERED, KEPT], ids=["answered", "kept"])
def test_a_field_that_others_read_is_not_taken_away_nor_renamed(use: Use) -> None:
    assert broken(use, thing(a=TEXT, b=TEXT), thing(a=TEXT, c=TEXT)) == ["/properties/b is gone"]


def test_a_field_that_others_send_is_taken_still_where_unknown_ones_are_refused() -> None:
    strict = {**thing(a=TEXT), "additionalProperties": False}
    assert broken(ASKED, {**thing(a=TEXT, b=TEXT), "additionalProperties": False}, strict) == ["/properties/b is gone"]
    assert broken(ASKED, thing(a=TEXT, b=TEXT), thing(a=TEXT)) == []


@pytest.mark.parametrize("use", [ASKED, ANSWERED, KEPT], ids=["asked", "answered", "kept"])
def test_optional_fields_remarks_and_open_enumerations_may_come(use: Use) -> None:
    old = thing("a", a={**TEXT, "x-extensible-enum": ["new"], "description": "How it is."})
    new = thing("a", a={**TEXT, "x-extensible-enum": ["new", "old"], "examples": ["new"]}, b=TEXT)
    assert broken(use, old, new) == []


def test_what_is_left_out_is_taken_for_the_same_as_before() -> None:
    old, new = {**COUNT, "default": 50}, {**COUNT, "default": 20}
    assert broken(ASKED, old, new) == [" what is left out was taken as 50, now as 20"]
    assert broken(ANSWERED, old, new) == []


def test_choices_are_told_apart_by_what_they_say_they_are() -> None:
    longer = {**NAMED, "properties": {**NAMED["properties"], "name": {**TEXT, "minLength": 3}}}
    assert broken(ASKED, {"oneOf": [NAMED, COUNTED]}, {"oneOf": [COUNTED, longer]}) == [
        "/properties/name minLength was None and is 3 now"
    ]


def test_a_shared_schema_is_named_once_and_where_it_is_shared() -> None:
    def document(inner: Schema) -> Schema:
        again = {"$ref": "#/$defs/Line"}
        return {**thing(first=again, second=again), "$defs": {"Line": inner}}

    assert broken(KEPT, document(thing(sku=TEXT)), document(thing(sku=COUNT))) == [
        "/$defs/Line/properties/sku was string and is integer now"
    ]


def test_a_schema_within_itself_ends() -> None:
    def tree(leaf: Schema) -> Schema:
        rule = {"oneOf": [{"$ref": "#/$defs/And"}, {"$ref": "#/$defs/Leaf"}]}
        both = {"type": "object", "title": "And", "properties": {"rules": {"type": "array", "items": rule}}}
        return {**rule, "$defs": {"And": both, "Leaf": {"type": "object", "title": "Leaf", "properties": {"v": leaf}}}}

    assert broken(ASKED, tree(TEXT), tree(TEXT)) == []
    assert broken(ASKED, tree(TEXT), tree(COUNT)) == ["/$defs/Leaf/properties/v was string and is integer now"]


_plain = some.fixed_dictionaries(
    {"type": some.sampled_from(["string", "integer", "number", "boolean"])},
    optional={
        "enum": some.lists(some.text(max_size=3), min_size=1, max_size=3),
        "minLength": some.integers(0, 3),
        "maximum": some.integers(0, 9),
        "pattern": some.sampled_from(["^a", "b$"]),
        "default": some.text(max_size=3),
        "x-extensible-enum": some.lists(some.text(max_size=3), max_size=3),
    },
)


def _objects(inner: some.SearchStrategy[Schema]) -> some.SearchStrategy[Schema]:
    fields = some.dictionaries(some.sampled_from("abc"), inner, max_size=3)
    made = fields.flatmap(
        lambda found: some.lists(some.sampled_from(sorted(found) or ["a"]), unique=True, max_size=len(found)).map(
            lambda required: {"type": "object", "properties": found, "required": required}
        )
    )
    return some.one_of(
        made,
        inner.map(lambda found: {"type": "array", "items": found}),
        inner.map(lambda found: {"anyOf": [found, {"type": "null"}]}),
    )


schemas = some.recursive(_plain, _objects, max_leaves=6)


@given(schemas)
def test_every_schema_keeps_its_own_promises(schema: Schema) -> None:
    for use in (ASKED, ANSWERED, KEPT):
        assert broken(use, schema, schema) == []


_close = some.fixed_dictionaries(
    {"type": some.just("string")},
    optional={
        "minLength": some.integers(0, 2),
        "maxLength": some.integers(1, 2),
        "enum": some.sampled_from([["a"], ["a", "bb"], ["a", "bb", ""]]),
        "x-extensible-enum": some.sampled_from([["a"], ["a", "bb"]]),
    },
).flatmap(lambda found: some.sampled_from([found, {"anyOf": [found, {"type": "null"}]}]))
_values = some.dictionaries(some.sampled_from("abc"), some.sampled_from([None, "", "a", "bb", "ccc", 1]), max_size=2)


def alike(*, more: bool) -> some.SearchStrategy[Schema]:
    """Objects so alike that some keep the others' promises."""
    fields = some.fixed_dictionaries({"a": _close}, optional={"b": _close})
    required = some.sampled_from([[], ["a"]])
    return some.builds(
        lambda properties, needed: {**thing(*needed, **properties), "additionalProperties": more}, fields, required
    )


@given(alike(more=True), alike(more=True), alike(more=True))
def test_what_is_kept_from_release_to_release_is_kept_over_all_of_them(a: Schema, b: Schema, c: Schema) -> None:
    for use in (ASKED, ANSWERED, KEPT):
        if not broken(use, a, b) and not broken(use, b, c):
            assert broken(use, a, c) == []


@given(alike(more=False), alike(more=False), _values)
def test_what_was_taken_is_taken_still_if_nothing_is_said_to_be_broken(old: Schema, new: Schema, value: Any) -> None:
    if not broken(ASKED, old, new) and jsonschema_rs.is_valid(old, value):
        assert jsonschema_rs.is_valid(new, value)


@given(alike(more=True), alike(more=True), _values)
def test_what_is_answered_was_foreseen_if_nothing_is_said_to_be_broken(old: Schema, new: Schema, value: Any) -> None:
    if not broken(ANSWERED, old, new) and jsonschema_rs.is_valid(new, value):
        assert jsonschema_rs.is_valid(old, value)
