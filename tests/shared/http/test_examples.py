"""A body's example is composed of its fields' examples."""

from typing import Any

import pytest

from crm_shared.http.examples import Composer

TEXT = {"type": "string", "examples": ["Ada"]}
WHEN = {"type": "string", "format": "date-time"}


def body(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "title": "Thing", "properties": fields, "required": ["name"]}


def test_an_answer_shows_every_field() -> None:
    schema = body(name=TEXT, rank={"type": "integer"}, open={"type": "boolean"}, at=WHEN)
    shown = {"name": "Ada", "rank": 1, "open": False, "at": "2026-01-31T12:00:00Z"}
    assert Composer({}).response(schema) == shown


def test_a_request_shows_what_must_be_there_and_what_has_an_example_of_its_own() -> None:
    optional = {"anyOf": [TEXT, {"type": "null"}]}
    schema = body(name=TEXT, nick={**optional, "examples": ["Countess"]}, title=optional)
    assert Composer({}).request(schema) == {"name": "Ada", "nick": "Countess"}


def test_a_field_overrules_its_type_and_may_show_itself_empty() -> None:
    schemas = {"Name": TEXT}
    assert Composer(schemas).response({"$ref": "#/components/schemas/Name", "examples": ["Grace"]}) == "Grace"
    assert Composer(schemas).response({"anyOf": [TEXT, {"type": "null"}], "examples": [None]}) is None


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"const": "and"}, "and"),
        ({"type": "string", "enum": ["won", "lost"]}, "won"),
        ({"type": "string", "x-extensible-enum": ["open", "closed"]}, "open"),
        ({"anyOf": [TEXT, {"type": "null"}]}, "Ada"),
        ({"anyOf": [WHEN, {"type": "null"}]}, None),
        ({"type": "array", "items": TEXT, "minItems": 2}, ["Ada", "Ada"]),
        ({"type": "integer", "minimum": 60, "default": 300}, 300),
        ({"type": "integer", "minimum": 60}, 60),
        ({"type": "object", "additionalProperties": TEXT}, {}),
    ],
)
def test_where_no_example_is_given_the_schema_itself_says_one(schema: dict[str, Any], shown: Any) -> None:
    assert Composer({}).response(schema) == shown


def test_a_text_without_example_is_named_as_missing() -> None:
    composer = Composer({"Thing": body(name={"type": "string"})})
    composer.response({"$ref": "#/components/schemas/Thing"})
    assert composer.missing == {"Thing.name"}


def test_a_schema_within_itself_ends() -> None:
    tree = {
        "type": "object",
        "title": "Tree",
        "properties": {"inner": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    }
    assert Composer({"Tree": tree}).response({"$ref": "#/components/schemas/Tree"})["inner"]
