"""The scope map: which upstream serves a request, and what a caller must hold for it.

Paths are matched decoded, as the services' own router matches them, while the encoded path is sent on unchanged: so
the gateway and the service can't see two different routes in one request.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from crm_gateway.openapi.domain.merging import (
    METHODS,
    OPERATION_OWNERS,
    OPERATIONS_PATH,
    PARKED_EVENTS_PATH,
    Document,
)
from crm_shared.errors import NotFound

SCOPE_EXTENSION = "x-required-scope"
PUBLIC_EXTENSION = "x-public"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: `scope` is None only where the document says that anybody may call it."""

    method: str
    template: str
    operation_id: str
    upstream: str
    scope: str | None

    def owner(self, path: str) -> str | None:
        """The upstream for this very path: usually fixed; for routes that every service has, named in the path.

        Raises:
            NotFound: the path names a service that there isn't; those that there are are said.
        """
        if self.template.startswith(OPERATIONS_PATH):
            return OPERATION_OWNERS.get(path[len(OPERATIONS_PATH) :].partition("_")[0])
        if self.template.startswith(PARKED_EVENTS_PATH):
            name = path[len(PARKED_EVENTS_PATH) :].partition("/")[0]
            if name not in OPERATION_OWNERS.values():
                known = ", ".join(sorted(OPERATION_OWNERS.values()))
                raise NotFound(f"There is no such service; there are: {known}.", code="service_not_found")
            return name
        return self.upstream


class ScopeMissing(Exception):
    """Operations that neither require a scope nor say that they are public."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])
    parameter: "_Node | None" = None
    routes: dict[str, Route] = field(default_factory=dict[str, Route])


class RouteTable:
    """All routes, found by the segments of a path; a literal segment wins over a parameter."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self.routes = tuple(routes)
        for route in self.routes:
            node = self._root
            for segment in route.template.split("/")[1:]:
                node = _child(node, segment)
            node.routes[route.method] = route

    @property
    def scopes(self) -> frozenset[str]:
        """Every scope that some route requires."""
        return frozenset(route.scope for route in self.routes if route.scope is not None)

    def find(self, method: str, path: str) -> Route | frozenset[str]:
        """The route of a request; otherwise the methods that this path knows (none: there is no such path)."""
        known: set[str] = set()
        found = _walk(self._root, path.split("/"), 1, method, known)
        if found is not None:
            return found
        if "GET" in known:
            known.add("HEAD")
        return frozenset(known)


def _child(node: _Node, segment: str) -> _Node:
    if segment.startswith("{") and segment.endswith("}"):
        node.parameter = node.parameter or _Node()
        return node.parameter
    return node.literals.setdefault(segment, _Node())


def _walk(node: _Node, segments: list[str], position: int, method: str, known: set[str]) -> Route | None:
    """The route below `node`, a literal segment first; methods of routes that only differ in method go to `known`."""
    if position == len(segments):
        route = node.routes.get(method)
        if route is None and method == "HEAD":
            route = node.routes.get("GET")
        if route is None:
            known.update(node.routes)
        return route
    segment = segments[position]
    literal = node.literals.get(segment)
    if literal is not None:
        route = _walk(literal, segments, position + 1, method, known)
        if route is not None or known:
            return route  # a path that is spelt out is no parameter's value, whatever the method
    if node.parameter is not None and segment:
        return _walk(node.parameter, segments, position + 1, method, known)
    return None


def routes_of(merged: Document) -> list[Route]:
    """The routes of a merged document.

    Raises:
        ScopeMissing: an operation says neither which scope it needs nor that it is public.
    """
    found = [
        _route(method, path, item[method])
        for path, item in merged["paths"].items()
        for method in METHODS
        if method in item
    ]
    bare = [f"{method} {path}" for method, path, route in found if route is None]
    if bare:
        raise ScopeMissing("No scope is declared for " + ", ".join(bare))
    return [route for _, _, route in found if route is not None]


def _route(method: str, path: str, operation: dict[str, Any]) -> tuple[str, str, Route | None]:
    scope = operation.get(SCOPE_EXTENSION)
    verb = method.upper()
    if not scope and not operation.get(PUBLIC_EXTENSION):
        return verb, path, None
    route = Route(
        method=verb,
        template=path,
        operation_id=operation["operationId"],
        upstream=operation["x-upstream"],
        scope=scope or None,
    )
    return verb, path, route
