"""The Python client: models, parameters, one module per tag, and the two client classes."""

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.document import Document, Operation
from generator.rendering import Templates, pascal, snake
from generator.shapes import Alias, Choice, Either, Field, Many, Mapped, Named, Plain, Record, Shape, Unsupported

_SENT = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "any": "Any",
    "decimal": "Decimal | str",
    "date-time": "dt.datetime | str",
    "date": "dt.date | str",
    "binary": "bytes",
}
_ANSWERED = _SENT | {"decimal": "Decimal", "date-time": "dt.datetime", "date": "dt.date"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter of a method."""

    name: str
    type: str
    default: str | None
    sent_as: str
    remark: str = ""

    @property
    def declared(self) -> str:
        return f"{self.name}: {self.type}" + ("" if self.default is None else f" = {self.default}")


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as its template needs it."""

    name: str
    remark: str
    positional: tuple[Argument, ...]
    keywords: tuple[Argument, ...]
    request: str
    call: str
    returns: str
    returns_async: str
    awaited: bool

    @property
    def documented(self) -> list[Argument]:
        return [argument for argument in (*self.positional, *self.keywords) if argument.remark]


class PythonClient:
    """Writes the generated half of the package."""

    def __init__(self, document: Document, templates: Templates) -> None:
        self._document = document
        self._templates = templates
        self._answered = {told.name for told in document.answered}

    def files(self) -> Iterator[tuple[Path, str]]:
        """Every generated file, by its path in the package."""
        aliases = [told for told in self._document.components.values() if isinstance(told, Alias)]
        answered = [told for told in self._document.answered if isinstance(told, Record)]
        sent = [told for told in self._document.sent if isinstance(told, Record)]
        yield Path("models.py"), self._write("models.py.j2", aliases=aliases, records=answered)
        yield Path("params.py"), self._write("params.py.j2", records=sent)
        yield Path("client.py"), self._write("client.py.j2", tags=list(self._document.tags))
        yield Path("resources/__init__.py"), '"""What can be asked, one module per attribute of the client."""\n'
        for tag, operations in self._document.tags.items():
            methods = [self._method(operation) for operation in operations]
            yield Path(f"resources/{snake(tag)}.py"), self._write("resource.py.j2", tag=tag, methods=methods)

    def _write(self, template: str, **values: Any) -> str:
        return self._templates.render(
            f"python/{template}",
            sent=self.sent, answered=self.answered, spelled=spelled, page_of=self._page_of, pascal=pascal, snake=snake,
            **values,
        )  # fmt: skip

    def _page_of(self, record: Record) -> Shape | None:
        return self._document.item_of_page(Named(record.name))

    # Types ------------------------------------------------------------------------------------------------------------

    def answered(self, shape: Shape, module: str = "") -> str:
        """How a shape is read."""
        match shape:
            case Plain(scalar):
                return _ANSWERED[scalar]
            case Choice(words):
                return f"{_literal(words)} | str"
            case Named(name):
                return f"{module}{name}" + (" | str" if self._is_choice(name) else "")
            case Many(item):
                return f"list[{self.answered(item, module)}]"
            case Mapped(value):
                return f"dict[str, {self.answered(value, module)}]"
            case Either(options):
                if sum(isinstance(option, Named) and not self._is_choice(option.name) for option in options) > 1:
                    raise Unsupported("an answer that is one of several objects: a new one would break old clients")
                return " | ".join(self.answered(option, module) for option in options)

    def sent(self, shape: Shape, module: str = "") -> str:
        """How a shape is written."""
        match shape:
            case Plain(scalar):
                return _SENT[scalar]
            case Choice(words):
                return _literal(words)
            case Named(name):
                return self._named(name, module)
            case Many(item):
                return f"Sequence[{self.sent(item, module)}]"
            case Mapped(value):
                return f"Mapping[str, {self.sent(value, module)}]"
            case Either(options):
                return " | ".join(self.sent(option, module) for option in options)

    def _named(self, name: str, module: str) -> str:
        if isinstance(self._document.components[name], Alias):
            return f"models.{name}"
        return f"models.{name} | {module}{name}" if name in self._answered else f"{module}{name}"

    def _is_choice(self, name: str) -> bool:
        told = self._document.components[name]
        return isinstance(told, Alias) and isinstance(told.shape, Choice)

    # Methods ----------------------------------------------------------------------------------------------------------

    def _method(self, operation: Operation) -> Method:
        paged = self._document.is_paged(operation)
        body = list(self._body(operation))
        query = [self._keyword(field, paged=paged) for field in operation.of_place("query")]
        taken = {argument.name for argument in (*body, *query)}
        path = [
            Argument(name := spelled(f.name) + "_" * (f.name in taken), "str", None, name, f.remark)
            if f.shape == Plain("string") else
            Argument(spelled(f.name), self.sent(f.shape, "params."), None, f.name, f.remark)
            for f in operation.of_place("path")
        ]  # fmt: skip
        whole = [argument for argument in body if argument.sent_as == "*"]
        fields = [argument for argument in body if argument.sent_as != "*"]
        keywords = sorted([*fields, *query], key=lambda argument: argument.default is not None)
        options = list(self._options(operation))
        self._refuse_doubles(operation, [*path, *whole, *keywords, *options])
        call, returns = self._call(operation, paged=paged)
        return Method(
            name=spelled(operation.name),
            remark=operation.remark,
            positional=(*path, *whole),
            keywords=(*sorted([*keywords, *options], key=lambda argument: argument.default is not None),),
            request=self._request(operation, path=path, body=body, query=query, paged=paged),
            call=call,
            returns=returns,
            returns_async=f"Async{returns}" if returns.startswith(("Pager", "Pending", "EventStream")) else returns,
            awaited=not paged and not operation.streams,
        )

    def _body(self, operation: Operation) -> Iterator[Argument]:
        """The fields of an object, each an argument; anything else whole, as `content`."""
        if operation.body is None:
            return
        told = self._document.components.get(getattr(operation.body.shape, "name", ""))
        if not operation.body.is_json:
            types = operation.body.media_types
            preferred = "text/csv" if "text/csv" in types else types[0]
            yield Argument("content", "bytes", None, "*")
            if len(types) > 1:
                yield Argument("content_type", _literal(types), f'"{preferred}"', "")
        elif isinstance(told, Record):
            yield from (self._keyword(field, paged=False) for field in told.fields)
        else:
            yield Argument("content", self.sent(operation.body.shape, "params."), None, "*")

    def _keyword(self, field: Field, *, paged: bool) -> Argument:
        told = self.sent(field.shape, "params.")
        if paged and field.name == "limit":
            return Argument("page_size", f"{told} | Omit", "OMIT", "limit", "How many items a page holds at most.")
        name = spelled(field.name)
        if field.required:
            return Argument(name, told, None, field.name, field.remark)
        return Argument(name, f"{told} | Omit", "OMIT", field.name, field.remark)

    def _options(self, operation: Operation) -> Iterator[Argument]:
        if operation.takes_state:
            (state,) = [field for field in operation.of_place("header") if field.name == "If-Match"]
            remark = "The object as it was read, or its version: 412 if it has changed since."
            if state.required:
                yield Argument("if_match", "State", None, "", remark)
            else:
                yield Argument("if_match", "State | None", "None", "", remark)
        if operation.takes_key:
            yield Argument(
                "idempotency_key",
                "str | None",
                "None",
                "",
                "Made for you; give one to repeat a call of another process.",
            )
        yield Argument("timeout", "float | None", "None", "", "Seconds for each try.")

    def _refuse_doubles(self, operation: Operation, arguments: list[Argument]) -> None:
        names = [argument.name for argument in arguments]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise Unsupported(f"{operation.id} takes {sorted(doubled)} twice")

    def _request(
        self, operation: Operation, *, path: list[Argument], body: list[Argument], query: list[Argument], paged: bool
    ) -> str:
        way = operation.path
        for field, argument in zip(operation.of_place("path"), path, strict=True):
            way = way.replace(f"{{{field.name}}}", f"{{segment({argument.name})}}")
        parts = [f'"{operation.method.upper()}"', f'f"{way}"' if path else f'"{way}"']
        if query:
            parts.append(f"query={_given(query)}")
        if body and body[0].sent_as == "*":
            parts.append("body=content")
        elif operation.body:
            parts.append(f"body={_given(body)}")
        if operation.body and not operation.body.is_json:
            types = operation.body.media_types
            parts.append("content_type=" + (f'"{types[0]}"' if len(types) == 1 else "content_type"))
        if not operation.repeatable:
            parts.append("repeatable=False")
        if operation.takes_key:
            parts.append("key=idempotency_key")
        if operation.takes_state:
            parts.append("state=if_match")
        parts.append("timeout_s=timeout")
        return f"Request({', '.join(parts)})"

    def _call(self, operation: Operation, *, paged: bool) -> tuple[str, str]:
        """Which method of the runtime answers, with its further arguments; and what it returns."""
        if operation.streams:
            return "_events({})", "EventStream"
        if operation.answer is None:
            if "302" in operation.answers:
                return "_where({})", "str"
            return ("_text({})", "str") if operation.answer_type else ("_done({})", "None")
        answer = self.answered(operation.answer, "models.")
        if not isinstance(operation.answer, Named):
            raise Unsupported(f"{operation.id} answers with a schema that has no name")
        if "202" in operation.answers and answer == "models.OperationRead":
            return "_start({})", "Pending"
        if paged:
            item = self._document.item_of_page(operation.answer)
            assert item is not None
            listed = self.answered(item, "models.")
            return f"_pages({{}}, {answer}, {listed})", f"Pager[{listed}, {answer}]"
        return f"_read({{}}, {answer})", answer


def spelled(name: str) -> str:
    """A name that Python takes."""
    return f"{name}_" if keyword.iskeyword(name) else name


def _given(arguments: list[Argument]) -> str:
    named: Mapping[str, str] = {spelled(argument.sent_as): argument.name for argument in arguments if argument.sent_as}
    return f"given({', '.join(f'{sent}={name}' for sent, name in named.items())})"


def _literal(words: tuple[str, ...]) -> str:
    return f"Literal[{', '.join(repr(word) for word in words)}]"
