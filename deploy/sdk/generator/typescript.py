"""The TypeScript client: models, one class per tag, and the client class."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.document import Document, Operation
from generator.rendering import Templates, camel, pascal
from generator.shapes import Alias, Choice, Either, Field, Many, Mapped, Named, Plain, Record, Shape, Unsupported

_SCALARS = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "any": "unknown",
    "decimal": "Decimal",
    "date-time": "Instant",
    "date": "Day",
    "binary": "Blob | ArrayBuffer | string",
}
_RESERVED = {"delete", "new", "default", "function", "in", "return", "switch", "var", "with", "class", "enum", "export"}


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as its template needs it."""

    name: str
    remark: str
    parameters: tuple[str, ...]
    request: str
    call: str
    returns: str


@dataclass(frozen=True, slots=True)
class Query:
    """The object of a method's query parameters."""

    name: str
    fields: tuple[Field, ...]


class TypeScriptClient:
    """Writes the generated half of the package."""

    def __init__(self, document: Document, templates: Templates) -> None:
        self._document = document
        self._templates = templates
        self._sent_only = {told.name for told in document.sent} - {told.name for told in document.answered}

    def files(self) -> Iterator[tuple[Path, str]]:
        """Every generated file, by its path in the package."""
        components = self._document.components.values()
        aliases = [told for told in components if isinstance(told, Alias)]
        records = [told for told in components if isinstance(told, Record)]
        yield Path("models.ts"), self._write("models.ts.j2", aliases=aliases, records=records)
        yield Path("client.ts"), self._write("client.ts.j2", tags=list(self._document.tags))
        for tag, operations in self._document.tags.items():
            methods = [self._method(operation) for operation in operations]
            queries = [query for operation in operations if (query := self._query(operation))]
            text = self._write("resource.ts.j2", tag=tag, methods=methods, queries=queries)
            yield Path(f"resources/{tag}.ts"), text

    def _write(self, template: str, **values: Any) -> str:
        return self._templates.render(
            f"typescript/{template}",
            told=self.told, is_sent=self._is_sent, camel=camel, pascal=pascal, **values,
        )  # fmt: skip

    def _is_sent(self, record: Record) -> bool:
        return record.name in self._sent_only

    # Types ------------------------------------------------------------------------------------------------------------

    def told(self, shape: Shape, module: str = "", *, sent: bool = False) -> str:
        """How a shape is written; a choice that is read may always be a word that isn't known yet."""
        match shape:
            case Plain(scalar):
                return _SCALARS[scalar] if module == "" else _within(module, _SCALARS[scalar])
            case Choice(words, grows):
                return _closed(words) + (" | (string & {})" if grows else "")
            case Named(name):
                told = self._document.components[name]
                opened = not sent and isinstance(told, Alias) and isinstance(told.shape, Choice)
                return f"{module}{name}" + (" | (string & {})" if opened else "")
            case Many(item):
                inner = self.told(item, module, sent=sent)
                return f"({inner})[]" if " " in inner else f"{inner}[]"
            case Mapped(value):
                return f"Record<string, {self.told(value, module, sent=sent)}>"
            case Either(options):
                return " | ".join(self.told(option, module, sent=sent) for option in options)

    # Methods ----------------------------------------------------------------------------------------------------------

    def _query(self, operation: Operation) -> Query | None:
        fields = operation.of_place("query")
        if not fields:
            return None
        if self._document.is_paged(operation):
            limit = next(field for field in fields if field.name == "limit")
            size = Field("page_size", limit.shape, limit.required, "How many items a page holds at most.")
            fields = tuple(size if field is limit else field for field in fields)
        return Query(f"{pascal(operation.id)}Query", fields)

    def _method(self, operation: Operation) -> Method:
        query = self._query(operation)
        path = operation.of_place("path")
        call, returns = self._call(operation)
        parameters = [f"{_argument(field)}: {self.told(field.shape, 'm.', sent=True)}" for field in path]
        parts = [f'method: "{operation.method.upper()}"', f"path: {_way(operation)}"]
        if operation.body:
            parameters.append(self._body(operation))
            parts.append("body")
            if not operation.body.is_json:
                types = operation.body.media_types
                parts.append(f'contentType: "{types[0]}"' if len(types) == 1 else "contentType")
                if len(types) > 1:
                    parameters.append(f"contentType: {_closed(types)}")
        if query:
            parameters.append(f"query: {query.name}" + ("" if any(f.required for f in query.fields) else " = {}"))
            parts.append("query")
        if not operation.repeatable:
            parts.append("repeatable: false")
        options, required = self._options(operation)
        parameters.append(f"options: {options}" + ("" if required else " = {}"))
        parts.append("...options")
        return Method(
            camel(operation.name), operation.remark, tuple(parameters), f"{{ {', '.join(parts)} }}", call, returns
        )

    def _body(self, operation: Operation) -> str:
        assert operation.body is not None
        if not operation.body.is_json:
            return "body: Content"
        return f"body: {self.told(operation.body.shape, 'm.', sent=True)}"

    def _options(self, operation: Operation) -> tuple[str, bool]:
        if not operation.takes_state:
            return ("WriteOptions" if operation.takes_key else "CallOptions"), False
        (state,) = [field for field in operation.of_place("header") if field.name == "If-Match"]
        return ("GuardedOptions", True) if state.required else ("Partial<GuardedOptions>", False)

    def _call(self, operation: Operation) -> tuple[str, str]:
        """Which method of the runtime answers; and what it returns."""
        if operation.streams:
            return "_events", "EventStream"
        if operation.answer is None:
            if "302" in operation.answers:
                return "_where", "Promise<string>"
            return ("_text", "Promise<string>") if operation.answer_type else ("_done", "Promise<void>")
        if not isinstance(operation.answer, Named):
            raise Unsupported(f"{operation.id} answers with a schema that has no name")
        if "202" in operation.answers and operation.answer == Named("OperationRead"):
            return "_start", "Promise<Pending>"
        if self._document.is_paged(operation):
            item = self._document.item_of_page(operation.answer)
            assert item is not None
            told = self.told(item, "m.")
            of = f"<{told}, {self.told(operation.answer, 'm.')}>"
            return f"_list{of}", f"Pager{of}"
        told = self.told(operation.answer, "m.")
        return f"_read<{told}>", f"Promise<{told}>"


def _closed(words: tuple[str, ...]) -> str:
    return " | ".join(f'"{word}"' for word in words)


def _argument(field: Field) -> str:
    name = camel(field.name)
    return f"{name}_" if name in _RESERVED else name


def _way(operation: Operation) -> str:
    way = operation.path
    for field in operation.of_place("path"):
        way = way.replace(f"{{{field.name}}}", f"${{segment({_argument(field)})}}")
    return f"`{way}`" if "$" in way else f'"{way}"'


def _within(module: str, scalar: str) -> str:
    return f"{module}{scalar}" if scalar[:1].isupper() and "|" not in scalar else scalar
