"""The document says of every route what it takes and how it may refuse."""

from typing import Annotated, Any

import pytest
from pydantic import Field, StringConstraints

from crm_shared.fields import DecimalField, MoneyField, Strict
from crm_shared.http.app import create_app
from crm_shared.http.call import Call, needs, public
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


router = Router(prefix="/v1/levels", tag="levels")


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


@router.get("/open", response_model=None)
async def look(call: Annotated[Call, public("anybody may")]) -> None:
    """For anybody."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app("Probe", [*SERVICE.routers, router], service="probe").openapi()


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
        assert told["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


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
