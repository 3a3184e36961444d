"""The service's OpenAPI document, in the form that generated clients are pleasant with."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from crm_shared.http.examples import Composer, Schema
from crm_shared.http.parameters import parameters_of
from crm_shared.http.problems import Problem
from crm_shared.http.refusals import refusals_of, shared_responses
from crm_shared.http.router import Router, StrictRoute

ABOUT = """Customer relationship management: customers, sales, communication, contact centre, and who may do what.

- **Credentials**: `Authorization: Bearer …`, an API key or a session's token; each operation names the scope it needs.
- **Errors** are problem documents (RFC 9457) with a stable `code`; `errors` points at the fields at fault.
- **Lists** come in pages: `items`, and `next_cursor` to be sent as `cursor`.
- **Writes** heed `Idempotency-Key`; a `version` comes as `ETag`; sent in `If-Match` it keeps updates from being lost.
- **Enumerations** marked `x-extensible-enum` may grow, and objects may gain fields: take what you don't know calmly.
- **Versions**: within `/v1` things are added, never taken away or given another meaning. What is deprecated says so in
  the `Deprecation` and `Sunset` headers.
"""
LICENSE = {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
CONTACT: dict[str, str | Any] = {"name": "Whoever runs this installation"}
SERVERS: list[dict[str, str | Any]] = [{"url": "/", "description": "Wherever this document was read."}]
_ETAG = {"description": "The version, to be sent back in If-Match.", "schema": {"type": "string", "examples": ['"1"']}}
_LOCATION = {"description": "Where it is from now on.", "schema": {"type": "string", "format": "uri-reference"}}
_SUCCESSES = {
    "200": "Done; the body is the present state.",
    "201": "Made.",
    "202": "Begun; `Location` says where to see how it goes.",
    "204": "Done; there is nothing more to say.",
    "207": "Each item has its own outcome.",
}
_PREFIX = "#/components/schemas/"


def tags_of(routers: Iterable[Router]) -> list[dict[str, Any]]:
    """The tags of all routers; of those that share one, one tells about it."""
    told: dict[str, str] = {}
    for router in routers:
        told[router.tag["name"]] = told.get(router.tag["name"]) or router.tag["description"]
    return [{"name": name, "description": told[name]} for name in sorted(told)]


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=ABOUT,
        license_info=LICENSE,
        contact=CONTACT,
        servers=SERVERS,
        tags=app.openapi_tags,
        routes=app.routes,
        openapi_version="3.1.0",
    )
    for route in app.routes:
        if isinstance(route, StrictRoute) and route.include_in_schema:
            for method in route.methods or ():
                _complete(document["paths"][route.path_format][method.lower()], route)
    components: dict[str, Any] = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), "Problem": problem}
    _close(schemas)
    _name_money(document["paths"], schemas)
    _name_money(dict(schemas), schemas)
    components["schemas"] = dict(sorted(schemas.items()))
    _forget_defaults(document["paths"], schemas)
    components["responses"] = shared_responses(document["paths"])
    components["examples"] = _show(document)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API key or a session's token."}
    }
    app.openapi_schema = document
    return document


def _close(node: Any) -> None:
    """Where a mapping's keys have a form, nothing else is taken; pydantic checks that, and doesn't write it down."""
    if isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        for child in schema.values():
            _close(child)
    elif isinstance(node, list):
        for child in cast("list[Any]", node):
            _close(child)


def _forget_defaults(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """What a change leaves out stays as it is, whatever value its model fills in: a client must not send that."""
    for item in paths.values():
        for content in _json(item.get("patch", {}).get("requestBody", {})):
            for field in schemas[_name_in(content)]["properties"].values():
                field.pop("default", None)


def _name_money(node: Any, schemas: dict[str, Any]) -> None:
    """Make money one schema, as models are: client generators make a type of every place where it is written out."""
    if not isinstance(node, dict | list):
        return
    inside = cast("dict[Any, Any] | list[Any]", node)
    for place, child in list(inside.items() if isinstance(inside, dict) else enumerate(inside)):
        if isinstance(child, dict) and cast("dict[str, Any]", child).get("title") == "Money":
            money = cast("dict[str, Any]", child)
            remarks = {key: money.pop(key) for key in ("description", "default", "examples") if key in money}
            schemas["Money"] = money
            inside[place] = {"$ref": "#/components/schemas/Money", **remarks}
        else:
            _name_money(child, schemas)


def _complete(operation: dict[str, Any], route: StrictRoute) -> None:
    """Add what every route does without saying so: its headers, and every way in which it may refuse."""
    parameters = parameters_of(route, operation.pop("parameters", []))
    if parameters:
        operation["parameters"] = parameters
    told = {code: _told(code, answer) for code, answer in operation["responses"].items() if code < "4"}
    operation["responses"] = told | refusals_of(route)


def _told(code: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with a sentence about it, where the route itself says none."""
    plain = answer["description"] == "Successful Response"
    return {**answer, "description": _SUCCESSES.get(code, "Done.")} if plain else answer


def _show(document: dict[str, Any]) -> dict[str, Any]:
    """Let every JSON body be shown by an example, shared like its schema; note the headers that follow from it."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    composer = Composer(schemas)
    shown: dict[str, Any] = {}
    for item in document["paths"].values():
        for operation in item.values():
            for content in _json(operation.get("requestBody", {})):
                _refer(content, shown, composer.request)
            for code, answer in operation["responses"].items():
                for content in _json(answer):
                    _refer(content, shown, composer.response)
                    _head(answer, code, schemas.get(_name_in(content), {}))
    return dict(sorted(shown.items()))


def _json(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content: dict[str, Any] = body.get("content", {})
    if "application/json" in content:
        yield content["application/json"]


def _name_in(content: dict[str, Any]) -> str:
    return str(content.get("schema", {}).get("$ref", "")).removeprefix(_PREFIX)


def _refer(content: dict[str, Any], shown: dict[str, Any], compose: Callable[[Schema], Any]) -> None:
    name = _name_in(content)
    if not name:
        content["example"] = compose(content["schema"])
        return
    if name not in shown:
        shown[name] = {"value": compose(content["schema"])}
    content["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}


def _head(answer: dict[str, Any], code: str, schema: dict[str, Any]) -> None:
    fields: dict[str, Any] = schema.get("properties", {})
    headers = {
        **({"ETag": _ETAG} if "version" in fields else {}),
        **({"Location": _LOCATION} if code == "202" or (code == "201" and "id" in fields) else {}),
    }
    if headers:
        answer["headers"] = headers | answer.get("headers", {})
