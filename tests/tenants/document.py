"""The merged document as data: its operations, the ids they take, and bodies that fit their schemas."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

from tests.tenants.stage import JSON

from crm_gateway.gateway import committed_document
from crm_gateway.identity.domain.roles import PLATFORM
from crm_shared.ids import new_id, public_id

DOCUMENT = committed_document()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ID = re.compile(r"\^(\w+)_\[0-9a-v\]\{2[56]\}(\[048cgkos\])?\$")
_NUMBERS = count(100)
_TEXTS = (
    "text",
    "sample",
    "12.5",
    "a@example.com",
    "EUR",
    "DE",
    "en",
    "08:30",
    "+49 30 1234567",
    "customer",
    "5.1.1",
    "now",
    "cus_1",
)
FITTING: dict[str, Any] = {
    "zone": "Europe/Berlin",
    "time_zone": "Europe/Berlin",
    "languages": ["en"],
    "content": {"email": {"en": {"subject": "Hello", "text": "Dear you"}}},
    "address": "somebody@example.org",
    "email": "somebody@example.org",
    "targets": {"resolution": {"seconds": 3_600}},
    "tax_rate": "0.19",
    "quantity": "1",
    "prior_rate": "0.1",
    "Verification.value": "somebody@example.org",
    "stages": [
        {"key": "talk", "name": "Talk", "canonical": "open"},
        {"key": "yes", "name": "Yes", "canonical": "won"},
        {"key": "no", "name": "No", "canonical": "lost"},
    ],
}
"""Values of fields whose rules their schema can't tell."""
ALSO: dict[str, tuple[str, ...]] = {
    "CustomerCreate": ("display_name",),
    "CustomerPut": ("display_name",),
    "PurchaseCreate": ("customer_id",),
    "ConsentItem": ("customer_id",),
    "SuppressionCreate": ("address",),
    "QuoteCreate": ("customer_id",),
    "WebhookReplay": ("since",),
}
"""Fields that a body needs beside those that its schema requires."""
DEEPEST = 4
"""Segment rules nest without end; a rule in a rule is deep enough."""
Path = tuple[str | int, ...]
"""A place in a body: names of fields, and 0 for an item of a list."""


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    about: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scope(self) -> str | None:
        return self.about.get("x-required-scope")

    @property
    def is_tenants(self) -> bool:
        """Whether anybody in a tenant may call it; some are the installation's operators'."""
        return self.scope is not None and self.scope != PLATFORM

    @property
    def resource(self) -> str:
        return self.path.split("/")[2]

    @property
    def query(self) -> str:
        """What the query must have."""
        needed = [one for one in self.about.get("parameters", ()) if one["in"] == "query" and one.get("required")]
        return "?" + urlencode({one["name"]: sample(one["schema"], {}) for one in needed}) if needed else ""

    def parameters(self, place: str) -> dict[str, Mapping[str, Any]]:
        """The schemas of its parameters in the path, the query or the headers."""
        return {one["name"]: resolved(one["schema"]) for one in self.about.get("parameters", ()) if one["in"] == place}

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of its JSON body."""
        content = self.about.get("requestBody", {}).get("content", {})
        return resolved(content[JSON]["schema"]) if JSON in content else None

    @property
    def takes_file(self) -> str | None:
        """The media type of a body that isn't JSON."""
        return next((kind for kind in self.about.get("requestBody", {}).get("content", {}) if kind != JSON), None)


def _operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method in METHODS:
            if method.lower() in methods:
                yield Operation(method, path, methods[method.lower()])


OPERATIONS = tuple(_operations())
RESOURCES = sorted({operation.resource for operation in OPERATIONS})


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference; of something that may be null, the something."""
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return resolved(choices[0]) if len(choices) == 1 else schema


def id_prefix(schema: Mapping[str, Any]) -> str | None:
    """Of which kind the ids are that this schema admits."""
    found = _ID.fullmatch(schema.get("pattern", ""))
    return found[1] if found else None


def name_of(operation: Operation, parameter: str) -> str:
    """How a world calls what stands in a path and is no id."""
    before = operation.path.split("/")[-2]  # a token opens what the path says: a click, a view
    return f"{operation.resource} {before if parameter == 'token' else parameter}"


@dataclass
class Belongings:
    """What somebody has to put into a request: ids by prefix, names of what has no id, and what one path needs."""

    ids: dict[str, str] = field(default_factory=dict[str, str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    fitting: dict[str, str] = field(default_factory=dict[str, str])

    def value(self, operation: Operation, parameter: str) -> str:
        """What goes into the path for a parameter."""
        prefix = id_prefix(operation.parameters("path")[parameter])
        if prefix:
            return self.fitting.get(operation.path, self.ids[prefix])
        return self.names[name_of(operation, parameter)]

    def address(self, operation: Operation) -> str:
        """The operation's path, filled."""
        path = operation.path
        for name in operation.parameters("path"):
            path = path.replace(f"{{{name}}}", quote(self.value(operation, name), safe=""))
        return path + operation.query


def nobody() -> Belongings:
    """Well-formed ids and names of nothing."""
    prefixes = {kind for one in OPERATIONS for _, kind in places_of(one)}
    prefixes |= {id_prefix(schema) or "" for one in OPERATIONS for schema in one.parameters("path").values()}
    names = {name_of(one, name): f"nobody_{new_id().hex[:12]}" for one in OPERATIONS for name in one.parameters("path")}
    fixed = {
        "leads window": "now",
        "templates number": "2",
        "operations operation_id": missing("opcus"),
        "parked-events service": "contact-center",
    }
    return Belongings({prefix: missing(prefix) for prefix in prefixes if prefix}, names | fixed)


def missing(prefix: str) -> str:
    """A well-formed id of nothing."""
    return public_id(prefix, new_id())


def _variants(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [resolved(one) for one in schema.get("oneOf", schema.get("anyOf", ())) if one.get("type") != "null"]


def id_places(schema: Mapping[str, Any], seen: tuple[str, ...] = ()) -> Iterator[tuple[Path, str]]:
    """Where a body takes ids, and of which kind; a schema within itself is entered once."""
    schema = resolved(schema)
    prefix = id_prefix(schema)
    if prefix:
        yield (), prefix
    title = str(schema.get("title", ""))
    if title and seen.count(title) > 0 and schema.get("type") == "object":
        return
    inner = (*seen, title)
    for name, inside in schema.get("properties", {}).items():
        for place, kind in id_places(inside, inner):
            yield (name, *place), kind
    if "items" in schema:
        for place, kind in id_places(schema["items"], inner):
            yield (0, *place), kind
    for variant in _variants(schema):
        yield from id_places(variant, inner)


def sample(schema: Mapping[str, Any], ids: Mapping[str, str], place: Path = ()) -> Any:
    """A value that fits the schema, with as little in it as may be, but with `place` in it."""
    schema = resolved(schema)
    if variants := _variants(schema):
        fitting = [one for one in variants if not place or _has(one, place)]
        return sample(_simplest(fitting), ids, place)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            title, fields = str(schema.get("title", "")), schema.get("properties", {})
            wanted = [*schema.get("required", ()), *ALSO.get(title, ()), *(str(step) for step in place[:1])]
            return {
                name: _field(f"{title}.{name}", fields[name], ids, place[1:] if place[:1] == (name,) else None)
                for name in dict.fromkeys(wanted)
            }
        case "array":
            length = max(schema.get("minItems", 0), len(place[:1]))
            return [sample(schema["items"], ids, place[1:]) for _ in range(length)]
        case "string":
            return _text(schema, ids)
        case kind:
            return schema.get("default", False) if kind == "boolean" else max(1, schema.get("minimum", 1))


def _field(name: str, schema: Mapping[str, Any], ids: Mapping[str, str], place: Path | None) -> Any:
    fitting = FITTING.get(name, FITTING.get(name.rpartition(".")[2]))
    return deepcopy(fitting) if fitting is not None and place is None else sample(schema, ids, place or ())


def _text(schema: Mapping[str, Any], ids: Mapping[str, str]) -> str:
    prefix = id_prefix(schema)
    if prefix:
        return ids[prefix]
    if schema.get("format") == "date":
        return "2026-03-01"
    if schema.get("format") == "date-time":
        return "2026-03-01T10:00:00Z"
    if "pattern" in schema:
        texts = (*schema.get("examples", ()), f"t{next(_NUMBERS)}", *_TEXTS)
        return next(text for text in texts if re.search(schema["pattern"], text))
    return f"a text that is long enough {next(_NUMBERS)}"[-schema.get("maxLength", 40) :]


def _has(schema: Mapping[str, Any], place: Path) -> bool:
    schema = resolved(schema)
    if variants := _variants(schema):
        return any(_has(one, place) for one in variants)
    if not place:
        return True
    fields = schema.get("properties", {})
    inner = schema.get("items") if place[0] == 0 else fields.get(place[0])
    return inner is not None and _has(inner, place[1:])


def _simplest(variants: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return min(variants, key=lambda one: ("rules" in str(one.get("required")), "$ref" in str(one)))


def objects_of(schema: Mapping[str, Any], place: Path = ()) -> Iterator[tuple[Path, frozenset[str]]]:
    """The objects in a body that take no field but those declared, and which these are."""
    schema = resolved(schema)
    if len(place) > DEEPEST:
        return
    if schema.get("additionalProperties") is False and "properties" in schema:  # the others are maps: the keys are data
        yield place, frozenset(schema.get("properties", ()))
    for name, inside in schema.get("properties", {}).items():
        yield from objects_of(inside, (*place, name))
    if "items" in schema:
        yield from objects_of(schema["items"], (*place, 0))


def places_of(operation: Operation) -> tuple[tuple[Path, str], ...]:
    """Where an operation's body takes ids."""
    found = id_places(operation.body) if operation.body else ()
    return tuple(dict.fromkeys(one for one in found if len(one[0]) <= DEEPEST))


def put(body: Any, place: Path, value: Any) -> Any:
    """The body with another value at one place."""
    target = body
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    return body
