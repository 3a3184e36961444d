"""The document says of every route what it takes and how it may refuse."""

from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import Field, StringConstraints

from crm_shared.fields import DecimalField, MoneyField, Strict
from crm_shared.http.app import create_app
from crm_shared.http.call import Call, needs, public
from crm_shared.http.deprecation import deprecated
from crm_shared.http.problems import Problem
from crm_shared.http.router import Router
from crm_shared.testing.probe.app import SERVICE

Slug = Annotated[str, StringConstraints(pattern="^[a-z]+$")]


class Levels(Strict):
    """A mapping whose keys have a form."""

    levels: dict[Slug, int]


class Bill(Strict):
    """Money in several places."""

    total: Annotated[MoneyField, Field(description="All of it.")]
    parts: list[MoneyField]
    paid: MoneyField | None = None
    tax_rate: DecimalField


router = Router(prefix="/v1/levels", tag="levels", about="How high things stand.")
more = Router(prefix="/v1/more-levels", tag="levels")


async def _written(call: Call) -> None:
    await call.write(_nothing)


async def _nothing(*_: Any, **__: Any) -> None:
    """A command."""


@router.put("", response_model=None)
async def replace(body: Levels, call: Annotated[Call, needs("levels:write")]) -> None:
    """Written by a helper."""
    await _written(call)


@router.post("/preview", response_model=None)
async def preview(body: Levels, call: Annotated[Call, needs("levels:read")]) -> None:
    """Reads only."""


@router.post("/bill", response_model=None)
async def bill(body: Bill, call: Annotated[Call, needs("levels:read")]) -> None:
    """With money."""


@more.get("/old", response_model=None)
@deprecated(since=date(2026, 12, 1), sunset=date(2027, 6, 30), instead="GET /v1/levels")
async def old(call: Annotated[Call, needs("levels:read")]) -> None:
    """How it was done. Once."""


@router.get("/open", response_model=None)
async def look(call: Annotated[Call, public("anybody may")]) -> None:
    """For anybody."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app("Probe", [*SERVICE.routers, more, router], service="probe").openapi()


def headers(operation: dict[str, Any]) -> dict[str, bool]:
    return {p["name"]: p["required"] for p in operation.get("parameters", []) if p["in"] == "header"}


def test_a_header_is_named_where_the_handler_heeds_it_and_nowhere_else(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert headers(paths["/v1/notes"]["post"]) == {"Idempotency-Key": False}
    assert headers(paths["/v1/notes/{note_id}"]["patch"]) == {"Idempotency-Key": False, "If-Match": True}
    assert headers(paths["/v1/notes/{note_id}"]["get"]) == {}
    assert headers(paths["/v1/levels"]["put"]) == {"Idempotency-Key": False}
    assert headers(paths["/v1/levels/preview"]["post"]) == {}


def test_every_refusal_is_one_problem_document(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            refused = {code: told for code, told in operation["responses"].items() if code[0] in "45"}
            assert {"400", "401", "403", "404", "422", "429", "500", "503", "504"} <= set(refused)
            assert all(list(told) == ["$ref"] for told in refused.values())
    for told in document["components"]["responses"].values():
        (media_type,) = told["content"]
        shown = told["content"][media_type]
        assert (media_type, shown["schema"]) == ("application/problem+json", {"$ref": "#/components/schemas/Problem"})
        assert Problem.model_validate(shown["example"]).title


def test_a_refused_state_is_named_where_a_state_is_asked_for(document: dict[str, Any]) -> None:
    asks = document["paths"]["/v1/notes/{note_id}"]["patch"]["responses"]
    assert {"412", "428"} <= set(asks)
    assert not {"412", "428"} & set(document["paths"]["/v1/notes"]["post"]["responses"])


def test_a_mapping_whose_keys_have_a_form_takes_no_others(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Levels"]["properties"]["levels"]["additionalProperties"] is False


def test_money_is_one_schema_wherever_it_stands_and_its_amount_is_a_decimal(document: dict[str, Any]) -> None:
    money = {"$ref": "#/components/schemas/Money"}
    fields = document["components"]["schemas"]["Bill"]["properties"]
    assert fields["total"] == {**money, "description": "All of it."}
    assert fields["parts"]["items"] == money
    assert fields["paid"]["anyOf"] == [money, {"type": "null"}]
    amount = document["components"]["schemas"]["Money"]["properties"]["amount"]
    assert (amount["format"], fields["tax_rate"]["format"]) == ("decimal", "decimal")


def test_a_docstring_is_summary_and_where_it_says_more_description(document: dict[str, Any]) -> None:
    assert document["paths"]["/v1/levels/bill"]["post"]["summary"] == "With money"
    assert "description" not in document["paths"]["/v1/levels/bill"]["post"]
    old = document["paths"]["/v1/more-levels/old"]["get"]
    assert (old["summary"], old["description"].split("\n\n")[0]) == ("How it was done", "How it was done. Once.")


def test_of_routers_with_one_tag_one_tells_about_it(document: dict[str, Any]) -> None:
    (told,) = [tag for tag in document["tags"] if tag["name"] == "levels"]
    assert told["description"] == "How high things stand."


def test_an_operation_names_the_scope_it_needs_as_security(document: dict[str, Any]) -> None:
    assert document["paths"]["/v1/levels"]["put"]["security"] == [{"token": ["levels:write"]}]
    assert document["paths"]["/v1/levels/open"]["get"]["security"] == []


def test_a_deprecated_operation_says_since_when_until_when_and_what_instead(document: dict[str, Any]) -> None:
    told = document["paths"]["/v1/more-levels/old"]["get"]
    assert (told["deprecated"], told["x-sunset"]) == (True, "2027-06-30")
    assert "Deprecated since 2026-12-01, gone after 2027-06-30; use GET /v1/levels." in told["description"]


def test_bodies_are_shown_by_examples_that_are_shared_like_their_schemas(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/levels/bill"]["post"]["requestBody"]["content"]["application/json"]
    assert body["examples"] == {"Bill": {"$ref": "#/components/examples/Bill"}}
    money = {"amount": "12.30", "currency": "EUR"}
    shown = document["components"]["examples"]["Bill"]["value"]
    assert shown == {"total": money, "parts": [money], "tax_rate": "12.5"}


def test_an_answer_with_a_version_has_an_etag_and_what_was_made_a_place(document: dict[str, Any]) -> None:
    made = document["paths"]["/v1/notes"]["post"]["responses"]["201"]
    assert set(made["headers"]) == {"ETag", "Location"}
    assert "headers" not in document["paths"]["/v1/notes"]["get"]["responses"]["200"]
