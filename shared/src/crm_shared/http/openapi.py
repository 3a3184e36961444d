"""The service's OpenAPI document, in the form that generated clients are pleasant with."""

from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from crm_shared.http.call import ETAG_PATTERN, KEY_LENGTH, KEY_PATTERN
from crm_shared.http.problems import MEDIA_TYPE, TITLES, Problem
from crm_shared.http.router import StrictRoute

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this request: a repeat with the same key and body gets the first answer again for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": f"^{KEY_PATTERN}$"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the state that was seen; 412 if it has changed since.",
    "schema": {"type": "string", "pattern": f"^{ETAG_PATTERN}$", "examples": ['"1"', "*"]},
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait.", "required": False, "schema": {"type": "integer", "minimum": 1}}
}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}
_MEANINGS = {
    400: "The request's head is malformed.",
    401: "We don't know who asks.",
    403: "The caller lacks the scope.",
    404: "It isn't there, or isn't the caller's.",
    408: "The body came too slowly.",
    409: "It clashes with the present state.",
    410: "It was there and has been erased.",
    412: "It has changed since the state in If-Match.",
    413: "The body is longer than is taken here.",
    422: "The input is not valid.",
    428: "Say in If-Match which state was seen.",
    429: "Slow down.",
    431: "The headers are longer than is taken.",
    500: "A fault of ours; it has been logged.",
    502: "The service broke off before it answered.",
    503: "Not now; try again.",
    504: "The service gave no answer in time.",
}
_ANYWHERE = (400, 401, 403, 404, 409, 410, 422, 429, 431, 500, 502, 503, 504)


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, openapi_version="3.1.0")
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
    components["responses"] = {_name(status): _response(status) for status in _MEANINGS}
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


def _name_money(node: Any, schemas: dict[str, Any]) -> None:
    """Make money one schema, as models are: client generators make a type of every place where it is written out."""
    if not isinstance(node, dict | list):
        return
    inside = cast("dict[Any, Any] | list[Any]", node)
    for place, child in list(inside.items() if isinstance(inside, dict) else enumerate(inside)):
        if isinstance(child, dict) and cast("dict[str, Any]", child).get("title") == "Money":
            money = cast("dict[str, Any]", child)
            remarks = {key: money.pop(key) for key in ("description", "default") if key in money}
            schemas["Money"] = money
            inside[place] = {"$ref": "#/components/schemas/Money", **remarks}
        else:
            _name_money(child, schemas)


def _complete(operation: dict[str, Any], route: StrictRoute) -> None:
    """Add what every route does without saying so: its headers, and every way in which it may refuse."""
    parameters: list[Any] = operation.setdefault("parameters", [])
    if route.takes_idempotency_key:
        parameters.append(_IDEMPOTENCY_KEY)
    if route.takes_if_match:
        parameters.append({**_IF_MATCH, "required": route.requires_if_match})
    if not parameters:
        del operation["parameters"]
    kept = {code: response for code, response in operation["responses"].items() if not code.startswith(("4", "5"))}
    refused = {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(_refusals(route))}
    operation["responses"] = kept | refused


def _refusals(route: StrictRoute) -> Iterator[int]:
    yield from _ANYWHERE
    if not (route.methods or set()) <= {"GET", "HEAD"}:
        yield from (408, 413)
    if route.takes_if_match:
        yield 412
    if route.requires_if_match:
        yield 428


def _response(status: int) -> dict[str, Any]:
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _MEANINGS[status], **headers, "content": content}


def _name(status: int) -> str:
    """`NotFound` for 404."""
    return "".join(word.capitalize() for word in TITLES[status].split())
