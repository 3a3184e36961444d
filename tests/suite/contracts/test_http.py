"""A client of the released document is still served by today's."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from crm_suite.contracts import http

Document = dict[str, Any]
TODAY = date(2027, 3, 1)
RELEASED: Document = {
    "paths": {
        "/v1/notes/{note_id}": {
            "put": {
                "operationId": "notes_replace",
                "tags": ["notes"],
                "x-required-scope": "notes:write",
                "parameters": [
                    {"name": "note_id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "loud", "in": "query", "schema": {"type": "boolean"}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/NoteWrite"}},
                        "text/plain": {"schema": {"type": "string"}},
                    }
                },
                "responses": {
                    "200": {
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Note"}}},
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            }
        },
    },
    "components": {
        "responses": {"NotFound": {"content": {"application/problem+json": {"schema": {"type": "object"}}}}},
        "schemas": {
            "NoteWrite": {
                "type": "object", "additionalProperties": False,
                "properties": {"text": {"type": "string"}}, "required": ["text"],
            },
            "Note": {
                "type": "object", "properties": {"id": {"type": "string"}, "text": {"type": "string"}},
                "required": ["id", "text"],
            },
        },
    },
}  # fmt: skip
HERE = "/paths/~1v1~1notes~1{note_id}/put"


def broken(change: Callable[[Document, Document], Any]) -> list[str]:
    today = deepcopy(RELEASED)
    change(today, today["paths"]["/v1/notes/{note_id}"]["put"])
    return [f"{one.pointer} {one.what}" for one in http.broken(RELEASED, today, today=TODAY)]


def test_an_unchanged_document_breaks_nothing() -> None:
    assert broken(lambda document, operation: None) == []


CASES: dict[str, tuple[Callable[[Document, Document], Any], str]] = {
    "an operation goes": (lambda d, o: d["paths"].clear(), f"{HERE} is gone"),
    "its id changes": (
        lambda d, o: o.update(operationId="notes_put"),
        f"{HERE}/operationId operationId was notes_replace and is notes_put now",
    ),
    "its tag changes": (lambda d, o: o.update(tags=["texts"]), f"{HERE}/tags tags was ['notes'] and is ['texts'] now"),
    "its scope changes": (
        lambda d, o: o.update({"x-required-scope": "notes:admin"}),
        f"{HERE}/x-required-scope was open to those who hold notes:write and needs notes:admin now",
    ),
    "a parameter goes": (lambda d, o: o["parameters"].pop(), f"{HERE}/parameters/query/loud is gone"),
    "a parameter is required": (
        lambda d, o: o["parameters"][1].update(required=True), f"{HERE}/parameters/query/loud is required now",
    ),
    "a required parameter comes": (
        lambda d, o: o["parameters"].append({"name": "x", "in": "query", "required": True, "schema": {}}),
        f"{HERE}/parameters/query/x is new and required",
    ),
    "a parameter's type changes": (
        lambda d, o: o["parameters"][1].update(schema={"type": "string"}),
        f"{HERE}/parameters/query/loud was boolean and is string now",
    ),
    "a body is required": (
        lambda d, o: o["requestBody"].update(required=True), f"{HERE}/requestBody is required now",
    ),
    "a body goes": (lambda d, o: o.pop("requestBody"), f"{HERE}/requestBody is gone"),
    "a media type goes": (
        lambda d, o: o["requestBody"]["content"].pop("text/plain"), f"{HERE}/requestBody/content/text~1plain is gone",
    ),
    "a field is newly asked for": (
        lambda d, o: d["components"]["schemas"]["NoteWrite"].update(
            properties={"text": {"type": "string"}, "by": {"type": "string"}}, required=["text", "by"]
        ),
        "/components/schemas/NoteWrite/properties/by is new and required",
    ),
    "a field is no longer answered": (
        lambda d, o: d["components"]["schemas"]["Note"]["properties"].pop("text"),
        "/components/schemas/Note/properties/text is gone",
    ),
    "a field may be null": (
        lambda d, o: d["components"]["schemas"]["Note"]["properties"].update(
            text={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "/components/schemas/Note/properties/text may be null now",
    ),
    "a status goes": (lambda d, o: o["responses"].pop("404"), f"{HERE}/responses/404 is gone"),
    "a header goes": (lambda d, o: o["responses"]["200"].pop("headers"), f"{HERE}/responses/200/headers/ETag is gone"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_broken_promise_is_named_with_its_place(case: str) -> None:
    change, told = CASES[case]
    assert broken(change) == [told]


def test_every_broken_promise_names_the_way_out() -> None:
    today = deepcopy(RELEASED)
    today["paths"].clear()
    (one,) = http.broken(RELEASED, today, today=TODAY)
    assert "mark it `@deprecated" in str(one)


WELCOME: dict[str, Callable[[Document, Document], Any]] = {
    "an operation": lambda d, o: d["paths"].update({"/v1/more": {"get": {"operationId": "more_list"}}}),
    "an optional parameter": lambda d, o: o["parameters"].append({"name": "x", "in": "query", "schema": {}}),
    "another name in the path": lambda d, o: (
        o["parameters"][0].update(name="id"),
        d["paths"].update({"/v1/notes/{id}": d["paths"].pop("/v1/notes/{note_id}")}),
    ),
    "an optional field in the body": lambda d, o: d["components"]["schemas"]["NoteWrite"]["properties"].update(
        by={"type": "string"}
    ),
    "a field in the answer": lambda d, o: d["components"]["schemas"]["Note"].update(
        properties={**d["components"]["schemas"]["Note"]["properties"], "by": {"type": "string"}},
        required=["id", "text", "by"],
    ),
    "another way to refuse": lambda d, o: o["responses"].update({"410": {"description": "gone"}}),
    "access for anybody": lambda d, o: (o.pop("x-required-scope"), o.update({"x-public": "anybody may"})),
}  # fmt: skip


@pytest.mark.parametrize("case", WELCOME)
def test_what_is_added_breaks_nothing(case: str) -> None:
    assert broken(WELCOME[case]) == []


@pytest.mark.parametrize(("sunset", "may_go"), [("2027-02-28", True), ("2027-03-01", False)])
def test_a_deprecated_operation_may_go_after_its_sunset_and_not_before(sunset: str, may_go: bool) -> None:
    released = deepcopy(RELEASED)
    released["paths"]["/v1/notes/{note_id}"]["put"].update({"deprecated": True, "x-sunset": sunset})
    gone = {**RELEASED, "paths": {}}
    assert (list(http.broken(released, gone, today=TODAY)) == []) is may_go
