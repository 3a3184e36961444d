"""The gateway's document at start-up: the committed one where it fits the code, since making it anew takes seconds."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI

from crm_gateway.gateway import committed_document, own_document
from crm_shared.http.router import StrictRoute

Operation = tuple[str, str, str | None]
"""Method, path and needed scope of one route."""


def documents_of(apps: Mapping[str, FastAPI]) -> dict[str, Any] | None:
    """The services' documents, or None where the committed merged one knows exactly their routes.

    A route that a developer has just added is found without `make contracts`; only the committed page wouldn't show it.
    """
    try:
        committed = _documented(committed_document())
    except FileNotFoundError:
        committed = frozenset[Operation]()
    served = frozenset(operation for app in apps.values() for operation in _served(app))
    if served | _documented(own_document()) == committed:
        return None
    return {name: app.openapi() for name, app in apps.items()}


def _served(app: FastAPI) -> Iterable[Operation]:
    for route in app.routes:
        if isinstance(route, StrictRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield method.lower(), route.path, route.scope


def _documented(document: dict[str, Any]) -> frozenset[Operation]:
    return frozenset(
        (method, path, operation.get("x-required-scope"))
        for path, item in document["paths"].items()
        for method, operation in item.items()
    )
