"""Many OpenAPI documents become one.

Component schemas of one name must be equal: such as `Problem`, which every service has, they collapse into one.
Different ones are an error, because a generated client would get one of them at random.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from crm_shared.ids import ID_TAIL

Document: TypeAlias = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
OPERATIONS_PATH = "/v1/operations/"
PARKED_EVENTS_PATH = "/v1/parked-events/"
OPERATION_OWNERS = {
    "opcus": "customer",
    "opsal": "sales-pipeline",
    "opcom": "communication-dispatch",
    "opcon": "contact-center",
    "opgat": "gateway",
}
"""Whose long job an operation's id names, by the id's prefix."""
_OWNER_IN_PATH: dict[str, dict[str, Any]] = {
    "operation_id": {"type": "string", "pattern": f"^({'|'.join(OPERATION_OWNERS)})_{ID_TAIL}$"},
    "service": {"type": "string", "enum": sorted(OPERATION_OWNERS.values())},
}
"""Path parameters of the routes that every service has: to clients each route is one, and this finds its owner."""

_PRIVATE_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json", "/docs"})


class MergeConflict(Exception):
    """The documents contradict each other; `faults` names every place."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class _Merge:
    """One merge under way."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.paths: dict[str, dict[str, Any]] = {}
        self.components: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, Any] = {}
        self._operation_ids: dict[str, str] = {}
        self._component_owner: dict[tuple[str, str], str] = {}

    def add(self, name: str, document: Document) -> None:
        """Adds one service's document."""
        for path, item in document.get("paths", {}).items():
            if path in _PRIVATE_PATHS:
                continue
            for method in METHODS:
                if method in item:
                    self._add_operation(name, method, path, _with_shared_parameters(item, method))
        for kind, components in document.get("components", {}).items():
            for component, schema in components.items():
                self._add_component(name, (kind, component), schema)
        for tag in document.get("tags", []):
            self.tags.setdefault(tag["name"], tag)

    def _add_operation(self, owner: str, method: str, path: str, operation: dict[str, Any]) -> None:
        place = f"{method.upper()} {path}"
        known = self.paths.setdefault(path, {}).get(method)
        if known is not None:
            if is_everybodys(path):
                return  # one operation for clients; the path's parameter finds the owner
            self.faults.append(f"{place} is served by both {known['x-upstream']} and {owner}")
            return
        operation_id = operation.get("operationId")
        if not operation_id:
            self.faults.append(f"{place} of {owner} has no operationId")
        elif operation_id in self._operation_ids:
            self.faults.append(f"operationId {operation_id} names {self._operation_ids[operation_id]} and {place}")
        else:
            self._operation_ids[operation_id] = place
        shown = _with_any_owner(operation) if is_everybodys(path) else operation
        self.paths[path][method] = {**shown, "x-upstream": owner}

    def _add_component(self, owner: str, key: tuple[str, str], schema: Any) -> None:
        kind, name = key
        known = self.components.setdefault(kind, {}).get(name)
        if known is None:
            self.components[kind][name] = schema
            self._component_owner[key] = owner
        elif _canonical(known) != _canonical(schema):
            self.faults.append(f"{kind} {name} differs between {self._component_owner[key]} and {owner}")


def merge(documents: Mapping[str, Document], *, title: str, version: str) -> Document:
    """The one document of all `documents`, keyed by upstream; each operation says its `x-upstream`.

    Raises:
        MergeConflict: equal names with different meaning, two owners of one route, or repeated operation ids.
    """
    merging = _Merge()
    for name, document in documents.items():
        merging.add(name, document)
    if merging.faults:
        raise MergeConflict(merging.faults)
    components = {kind: dict(sorted(members.items())) for kind, members in sorted(merging.components.items())}
    one = next(iter(documents.values()), Document())  # what they say of themselves beside their title is the same
    return {
        "openapi": "3.1.0",
        "info": {**one.get("info", {}), "title": title, "version": version},
        **{key: one[key] for key in ("servers",) if key in one},
        "paths": dict(sorted(merging.paths.items())),
        "components": components,
        "security": [{"token": []}],
        "tags": [merging.tags[name] for name in sorted(merging.tags)],
    }


def _with_shared_parameters(item: dict[str, Any], method: str) -> dict[str, Any]:
    shared: list[Any] = item.get("parameters", [])
    operation: dict[str, Any] = item[method]
    return {**operation, "parameters": [*shared, *operation.get("parameters", [])]} if shared else operation


def is_everybodys(path: str) -> bool:
    """Whether every service serves this path, each for what is its own."""
    return path.startswith((OPERATIONS_PATH, PARKED_EVENTS_PATH))


def _with_any_owner(operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {**parameter, "schema": _OWNER_IN_PATH.get(parameter["name"], parameter.get("schema"))}
        if parameter.get("in") == "path"
        else parameter
        for parameter in operation.get("parameters", [])
    ]
    return {**operation, "parameters": parameters}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
