"""The service's OpenAPI document, in the form that generated clients are pleasant with."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from crm_shared.http.problems import MEDIA_TYPE

_WRITES = ("post", "patch", "put", "delete")
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this request: a repeat with the same key and body gets the first answer again for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the state that was seen; 412 if it has changed since.",
    "schema": {"type": "string"},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, openapi_version="3.1.0")
    for methods in document["paths"].values():
        for method, operation in methods.items():
            if method in _WRITES:
                parameters: list[Any] = operation.setdefault("parameters", [])
                parameters.append(_IDEMPOTENCY_KEY)
                if method in ("patch", "put"):
                    parameters.append(_IF_MATCH)
            _problems_as_problem_json(operation)
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API key or a session's token."}
    }
    app.openapi_schema = document
    return document


def _problems_as_problem_json(operation: dict[str, Any]) -> None:
    for status, response in operation.get("responses", {}).items():
        if status.startswith(("4", "5")) and "application/json" in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
