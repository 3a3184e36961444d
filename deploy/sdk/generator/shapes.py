"""What a JSON Schema of our documents says, as types that a language can write down."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = Mapping[str, Any]
Scalar = Literal["string", "integer", "number", "boolean", "null", "any", "decimal", "date-time", "date", "binary"]
_FORMATS: dict[str, Scalar] = {"decimal": "decimal", "date-time": "date-time", "date": "date", "binary": "binary"}


class Unsupported(Exception):
    """The document says something that the clients have no form for: a defect of the document or a gap here."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A scalar."""

    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these words; of a growing list, or of exactly these."""

    words: tuple[str, ...]
    grows: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A schema of the document's components."""

    name: str


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Mapped:
    """An object whose keys are data."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several shapes."""

    options: tuple["Shape", ...]


Shape = Plain | Choice | Named | Many | Mapped | Either


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object, or a parameter."""

    name: str
    shape: Shape
    required: bool
    remark: str


@dataclass(frozen=True, slots=True)
class Record:
    """A named object."""

    name: str
    fields: tuple[Field, ...]
    remark: str


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a shape: an enumeration, mostly."""

    name: str
    shape: Shape
    remark: str


def shape(schema: Json) -> Shape:
    if "$ref" in schema:
        return Named(schema["$ref"].rpartition("/")[2])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return either([shape(option) for option in schema[union]])
    if "const" in schema:
        return Choice((schema["const"],), grows=False)
    if "enum" in schema:
        return Choice(tuple(schema["enum"]), grows=False)
    if "x-extensible-enum" in schema:
        return Choice(tuple(schema["x-extensible-enum"]), grows=True)
    return _of_type(schema)


def either(options: Sequence[Shape]) -> Shape:
    distinct = tuple(dict.fromkeys(options))
    return distinct[0] if len(distinct) == 1 else Either(distinct)


def _of_type(schema: Json) -> Shape:
    kind = schema.get("type", "any")
    if kind == "array":
        return Many(shape(schema.get("items", {})))
    if kind == "object":
        if "properties" in schema:
            raise Unsupported(f"an object without a name: {schema.get('title', schema)}")
        return Mapped(_value(schema))
    if kind == "string":
        return Plain(_FORMATS.get(schema.get("format", ""), "string"))
    if kind in {"integer", "number", "boolean", "null", "any"}:
        return Plain(kind)
    raise Unsupported(f"the type {kind}")


def _value(schema: Json) -> Shape:
    forms = [shape(form) for form in schema.get("patternProperties", {}).values()]
    if isinstance(schema.get("additionalProperties"), Mapping):
        forms.append(shape(schema["additionalProperties"]))
    return either(forms) if forms else Plain("any")


def fields(schema: Json) -> tuple[Field, ...]:
    required = set(schema.get("required", ()))
    return tuple(
        Field(name, shape(told), name in required, told.get("description", ""))
        for name, told in schema.get("properties", {}).items()
    )


def component(name: str, schema: Json) -> Record | Alias:
    remark = schema.get("description", "")
    if schema.get("type") == "object" and "properties" in schema:
        return Record(name, fields(schema), remark)
    return Alias(name, shape(schema), remark)


def names_in(node: Shape) -> Iterator[str]:
    match node:
        case Named(name):
            yield name
        case Many(item) | Mapped(item):
            yield from names_in(item)
        case Either(options):
            for option in options:
                yield from names_in(option)
        case _:
            pass
