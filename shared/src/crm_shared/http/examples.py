"""Examples of bodies, composed from the examples that fields and types bring along.

A model whose fields alone can't tell a sensible whole says one itself: `model_config = ConfigDict(json_schema_extra=
{"examples": [...]})`. A field overrules its type (`Field(examples=[...])`), and `examples=[None]` shows it empty.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

Schema: TypeAlias = Mapping[str, Any]
_PREFIX = "#/components/schemas/"
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "uri": "https://example.com/",
}
_NEVER_YET = frozenset({"date-time", "date"})
_DEEPEST = 6


def _spelt_out(schema: Schema) -> list[Any]:
    """Values that the schema itself names; an example goes before a mere list of what there is."""
    constant = [schema["const"]] if "const" in schema else []
    return schema.get("examples") or constant or schema.get("enum") or schema.get("x-extensible-enum") or []


class Composer:
    """Composes examples from the schemas of one document; `missing` names the text fields that bring none."""

    def __init__(self, schemas: Schema) -> None:
        self._schemas = schemas
        self.missing: set[str] = set()

    def request(self, schema: Schema) -> Any:
        """What a client sends: what must be there, and of the rest what shows an example of its own."""
        return self._compose(schema, "", 0, everything=False)

    def response(self, schema: Schema) -> Any:
        """What a client gets: every field."""
        return self._compose(schema, "", 0, everything=True)

    def _compose(self, schema: Schema, place: str, depth: int, *, everything: bool) -> Any:
        values = _spelt_out(schema)
        if values:
            return values[0]
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix(_PREFIX)
            return self._compose(self._schemas[name], name, depth, everything=everything)
        choices: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
        if choices:
            return self._chosen(choices, place, depth, everything=everything)
        match schema.get("type"):
            case "object":
                return self._object(schema, place, depth, everything=everything)
            case "array":
                return self._array(schema, place, depth, everything=everything)
            case _:
                return self._scalar(schema, place)

    def _chosen(self, choices: list[Schema], place: str, depth: int, *, everything: bool) -> Any:
        shown = next(choice for choice in choices if choice.get("type") != "null")
        may_be_missing = len(choices) > 1 and any(choice.get("type") == "null" for choice in choices)
        # Of a time that may be missing nobody knows whether it has come, unless the field says so.
        if may_be_missing and (shown.get("format") in _NEVER_YET or depth > _DEEPEST):
            return None
        return self._compose(shown, place, depth, everything=everything)

    def _object(self, schema: Schema, place: str, depth: int, *, everything: bool) -> Any:
        fields = cast("dict[str, Schema]", schema.get("properties", {}))
        required: list[str] = schema.get("required", [])
        owner = str(schema.get("title", place))
        return {
            name: self._compose(field, f"{owner}.{name}", depth + 1, everything=everything)
            for name, field in fields.items()
            if everything or name in required or "examples" in field
        }

    def _array(self, schema: Schema, place: str, depth: int, *, everything: bool) -> Any:
        items: Schema | None = schema.get("items")
        if items is None or schema.get("maxItems") == 0 or depth > _DEEPEST:
            return []
        first = self._compose(items, place, depth + 1, everything=everything)
        return [first] * max(1, schema.get("minItems", 0))

    def _scalar(self, schema: Schema, place: str) -> Any:
        default: Any = schema.get("default")
        if default is not None:
            return default
        match schema.get("type"):
            case "integer" | "number":
                return max(1, schema.get("minimum", 0), schema.get("exclusiveMinimum", 0))
            case "boolean":
                return False
            case "null":
                return None
            case "string" if schema.get("format") in _FORMATS:
                return _FORMATS[str(schema["format"])]
            case _:
                self.missing.add(place)
                return "text"
