"""Every operation of every service tells a stranger all that is needed to call it."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from crm_communication_dispatch.app import SERVICE as COMMUNICATION
from crm_contact_center.app import SERVICE as CONTACT_CENTER
from crm_customer.app import SERVICE as CUSTOMER
from crm_gateway.app import SERVICE as GATEWAY
from crm_sales_pipeline.app import SERVICE as SALES
from crm_shared.http.app import create_app
from crm_shared.http.examples import Composer
from crm_shared.runtime import Service
from crm_shared.runtime.contracts import event_schema

Document = dict[str, Any]
SERVICES = [CUSTOMER, SALES, COMMUNICATION, CONTACT_CENTER, GATEWAY]
LONGEST = 100
PROBLEM = {"$ref": "#/components/schemas/Problem"}


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
def document(request: pytest.FixtureRequest) -> Document:
    service = request.param
    return create_app(service.title, service.routers, service=service.name).openapi()


def operations(document: Document) -> list[Document]:
    found = [operation for item in document["paths"].values() for operation in item.values()]
    assert found
    return found


def bodies(operation: Document) -> Iterator[tuple[str, Document]]:
    """The JSON bodies that an operation takes and gives."""
    answers = [(f"answer {code}", answer) for code, answer in operation["responses"].items() if "$ref" not in answer]
    for which, body in [("request", operation.get("requestBody", {})), *answers]:
        content = body.get("content", {}).get("application/json")
        if content is not None:
            yield f"{operation['operationId']}: {which}", content


def shown(document: Document, content: Document) -> Any:
    if "example" in content:
        return content["example"]
    ((name, reference),) = content["examples"].items()
    assert reference == {"$ref": f"#/components/examples/{name}"}
    return document["components"]["examples"][name]["value"]


def errors(document: Document, schema: Document, value: Any) -> Iterator[jsonschema_rs.ValidationError]:
    """What is wrong with a value, by the document's own schemas; formats count."""
    whole = {**schema, "components": {"schemas": document["components"]["schemas"]}}
    return jsonschema_rs.iter_errors(whole, value, validate_formats=True)


def test_every_tag_is_described(document: Document) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = {tag for operation in operations(document) for tag in operation["tags"]}
    assert used - described == set(), "say what it is about: Router(prefix=…, tag=…, about=…)"


def test_every_operation_has_a_summary_of_its_own(document: Document) -> None:
    summaries = {operation["operationId"]: operation["summary"] for operation in operations(document)}
    wrong = {name: text for name, text in summaries.items() if not 6 <= len(text) <= LONGEST}
    assert wrong == {}, "the summary is the first sentence of the handler's docstring"
    twice = [name for name, text in summaries.items() if list(summaries.values()).count(text) > 1]
    assert twice == [], "these can't be told apart by their summaries"


def test_every_text_in_a_body_shows_an_example(document: Document) -> None:
    composer = Composer(document["components"]["schemas"])
    for operation in operations(document):
        for which, content in bodies(operation):
            (composer.request if which.endswith("request") else composer.response)(content["schema"])
    assert sorted(composer.missing) == [], "give the field one: Field(examples=[…])"


def test_every_example_is_what_its_schema_says(document: Document) -> None:
    wrong = [
        f"{which}: {error.instance_path}: {error.message}"
        for operation in operations(document)
        for which, content in bodies(operation)
        for error in errors(document, content["schema"], shown(document, content))
    ]
    assert wrong == []


def test_no_request_is_shown_empty(document: Document) -> None:
    empty = [
        which
        for operation in operations(document)
        for which, content in bodies(operation)
        if which.endswith("request") and not shown(document, content)
    ]
    assert empty == [], "let a field that is usually sent show an example of its own: Field(default=…, examples=[…])"


def test_every_refusal_is_the_one_problem_model_with_an_example(document: Document) -> None:
    for operation in operations(document):
        refused = [answer for code, answer in operation["responses"].items() if code[0] in "45"]
        assert len(refused) > 10
        assert all(set(answer) == {"$ref"} for answer in refused)
    for told in document["components"]["responses"].values():
        assert set(told["content"]) == {"application/problem+json"}
        shown = told["content"]["application/problem+json"]
        assert shown["schema"] == PROBLEM
        assert not list(errors(document, PROBLEM, shown["example"]))


def test_no_answer_has_an_enumeration_that_cannot_grow(document: Document) -> None:
    closed = [
        f"{which}: {place}"
        for operation in operations(document)
        for which, content in bodies(operation)
        if not which.endswith("request")
        for place in enumerations(document, content["schema"], ())
    ]
    assert sorted(set(closed)) == [], "let it grow: Annotated[Kind, extensible(Kind)]"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_event_has_an_enumeration_that_cannot_grow(service: Service) -> None:
    closed = {event.TYPE: list(enumerations({}, event_schema(event), ())) for event in service.published}
    assert {name: places for name, places in closed.items() if places} == {}, "let it grow: extensible(…)"


def enumerations(document: Document, node: Any, seen: tuple[str, ...]) -> Iterator[str]:
    """Where a schema lists all values that there will ever be."""
    if isinstance(node, list):
        for child in node:
            yield from enumerations(document, child, seen)
    elif isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield "/".join(seen)
        name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
        if name in document.get("components", {}).get("schemas", {}) and name not in seen:
            yield from enumerations(document, document["components"]["schemas"][name], (*seen, name))
        for child in node.values():
            yield from enumerations(document, child, seen)
