"""The merged OpenAPI document, read for what clients need of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from generator.shapes import Alias, Field, Named, Record, Shape, Unsupported, component, names_in, shape

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: an object by its fields, any other JSON as one value, or bytes in one of some media types."""

    media_types: tuple[str, ...]
    shape: Shape

    @property
    def is_json(self) -> bool:
        return self.media_types == (JSON,)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: a method of the clients."""

    id: str
    tag: str
    method: str
    path: str
    remark: str
    parameters: tuple[tuple[str, Field], ...]
    body: Body | None
    answers: Mapping[str, Shape | None]
    answer_type: str

    def of_place(self, place: str) -> tuple[Field, ...]:
        return tuple(field for where, field in self.parameters if where == place)

    @property
    def name(self) -> str:
        """`register` of `customers_register`: the tag is the attribute that the method sits on."""
        prefix = self.tag.replace("-", "_") + "_"
        if not self.id.startswith(prefix):
            raise Unsupported(f"operation {self.id} doesn't start with its tag {self.tag}")
        return self.id.removeprefix(prefix)

    @property
    def takes_key(self) -> bool:
        return any(field.name == "Idempotency-Key" for field in self.of_place("header"))

    @property
    def takes_state(self) -> bool:
        return any(field.name == "If-Match" for field in self.of_place("header"))

    @property
    def streams(self) -> bool:
        return self.answer_type == EVENTS

    @property
    def repeatable(self) -> bool:
        """May be sent twice: it changes nothing, changes the same thing twice, or is known by its key."""
        return self.takes_key or self.method in {"get", "put", "delete"}

    @property
    def answer(self) -> Shape | None:
        found = [told for told in self.answers.values() if told is not None]
        if len(found) > 1:
            raise Unsupported(f"operation {self.id} has several answers")
        return found[0] if found else None


@dataclass(frozen=True)
class Document:
    """All of it."""

    components: Mapping[str, Record | Alias]
    operations: tuple[Operation, ...]

    @cached_property
    def tags(self) -> dict[str, list[Operation]]:
        tags: dict[str, list[Operation]] = {}
        for operation in sorted(self.operations, key=lambda each: (each.tag, each.id)):
            tags.setdefault(operation.tag, []).append(operation)
        return tags

    @cached_property
    def sent(self) -> list[Record | Alias]:
        """What requests are made of."""
        shapes = [operation.body.shape for operation in self.operations if operation.body]
        shapes += [field.shape for operation in self.operations for _, field in operation.parameters]
        return self._reached_from(shapes)

    @cached_property
    def answered(self) -> list[Record | Alias]:
        """What answers are made of."""
        shapes = [answer for operation in self.operations if (answer := operation.answer)]
        return self._reached_from([*shapes, Named("Problem"), Named("OperationRead")])

    def item_of_page(self, answer: Shape | None) -> Shape | None:
        """What a page lists, if the answer is a page."""
        record = self.components.get(answer.name) if isinstance(answer, Named) else None
        if not isinstance(record, Record):
            return None
        by_name = {field.name: field for field in record.fields}
        if not {"items", "next_cursor"} <= set(by_name):
            return None
        return getattr(by_name["items"].shape, "item", None)

    def is_paged(self, operation: Operation) -> bool:
        query = {field.name for field in operation.of_place("query")}
        return {"cursor", "limit"} <= query and self.item_of_page(operation.answer) is not None

    def _reached_from(self, shapes: Iterable[Shape]) -> list[Record | Alias]:
        found: set[str] = set()
        waiting = [name for told in shapes for name in names_in(told)]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            told = self.components[name]
            inner = [field.shape for field in told.fields] if isinstance(told, Record) else [told.shape]
            waiting.extend(inside for each in inner for inside in names_in(each))
        return [self.components[name] for name in sorted(found)]


def read(document: Mapping[str, Any]) -> Document:
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    components = {name: component(name, schema) for name, schema in sorted(schemas.items())}
    operations = [
        _operation(method, path, item[method])
        for path, item in sorted(document["paths"].items())
        for method in METHODS
        if method in item
    ]
    return Document(components, tuple(operations))


def _operation(method: str, path: str, told: Mapping[str, Any]) -> Operation:
    (tag,) = told["tags"]
    parameters = tuple((each["in"], _parameter(each)) for each in told.get("parameters", ()))
    kept = {code: answer for code, answer in told["responses"].items() if code[0] in "23"}
    types = {kind for answer in kept.values() for kind in answer.get("content", {})}
    return Operation(
        id=told["operationId"],
        tag=tag,
        method=method,
        path=path,
        remark=_sentence(told.get("description") or told["summary"]),
        parameters=_in_order_of_path(path, parameters),
        body=_body(told.get("requestBody")),
        answers={code: _answer(answer) for code, answer in sorted(kept.items())},
        answer_type=next(iter(sorted(types)), ""),
    )


def _in_order_of_path(path: str, parameters: tuple[tuple[str, Field], ...]) -> tuple[tuple[str, Field], ...]:
    places = {name: place for place, name in enumerate(re.findall(r"\{(\w+)\}", path))}
    return tuple(
        sorted(parameters, key=lambda each: places.get(each[1].name, len(places)) if each[0] == "path" else 99)
    )


def _body(told: Mapping[str, Any] | None) -> Body | None:
    if told is None:
        return None
    content: Mapping[str, Any] = told["content"]
    shapes = {shape(each["schema"]) for each in content.values()}
    if len(shapes) != 1:
        raise Unsupported("a body that has another form in another media type")
    return Body(tuple(sorted(content)), shapes.pop())


def _answer(told: Mapping[str, Any]) -> Shape | None:
    content: Mapping[str, Any] = told.get("content", {})
    return shape(content[JSON]["schema"]) if JSON in content else None


def _sentence(text: str) -> str:
    return text if text.rstrip().endswith((".", "?", "!")) else f"{text.rstrip()}."


def _parameter(told: Mapping[str, Any]) -> Field:
    remark = told.get("description") or told["schema"].get("description", "")
    return Field(told["name"], shape(told["schema"]), told.get("required", False), remark)
