"""Two versions of an OpenAPI document: would a client of the old one still be served?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm_suite.contracts.promises import ANSWERED, ASKED, Broken, Document, pointer_to
from crm_suite.contracts.schemas import Comparison

_METHODS = ("get", "put", "post", "delete", "patch")
_SCOPE = "x-required-scope"
_KEEP = "keep it; mark it `@deprecated(since=…, sunset=…, instead=…)`, release that, and take it away after the sunset"


@dataclass(frozen=True, slots=True)
class _Documents:
    """Both documents, with what compares the schemas of requests and of answers."""

    old: Document
    new: Document
    asked: Comparison
    answered: Comparison


def broken(old: Document, new: Document, *, today: date) -> Iterator[Broken]:
    """Every promise of the released document that today's would break."""
    both = _Documents(old, new, Comparison(old, new, ASKED), Comparison(old, new, ANSWERED))
    now = {_shape(path): (path, item) for path, item in new["paths"].items()}
    for path, item in old["paths"].items():
        there, found = now.get(_shape(path), (path, {}))
        for method in _METHODS:
            if method not in item:
                continue
            if method in found:
                yield from _operation(both, item[method], found[method], pointer_to("paths", there, method))
            elif not _is_over(item[method], today):
                yield Broken(pointer_to("paths", path, method), "is gone", _KEEP)


def _shape(path: str) -> str:
    """A path whatever its parameters are called: to callers they have no names."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _is_over(operation: Document, today: date) -> bool:
    sunset: str | None = operation.get("x-sunset")
    return bool(operation.get("deprecated")) and sunset is not None and date.fromisoformat(sunset) < today


def _operation(both: _Documents, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
    for keyword, way_out in (
        ("operationId", "it is the method's name in generated clients: keep the handler's name and its router's tag"),
        ("tags", "they group the methods of generated clients: keep the router's tag"),
    ):
        if old.get(keyword) != new.get(keyword):
            what = f"{keyword} was {old.get(keyword)} and is {new.get(keyword)} now"
            yield Broken(f"{pointer}/{keyword}", what, way_out)
    yield from _scope(old, new, pointer)
    yield from _parameters(both, old, new, pointer)
    yield from _request(both, old.get("requestBody"), new.get("requestBody"), f"{pointer}/requestBody")
    answers = new["responses"]
    for status, answer in old["responses"].items():
        here = f"{pointer}/responses/{status}"
        if status not in answers:
            yield Broken(here, "is gone", "go on answering with it; clients tell by it what happened")
        else:
            yield from _answer(both, _at(answer, both.old), _at(answers[status], both.new), here)


def _scope(old: Document, new: Document, pointer: str) -> Iterator[Broken]:
    before, after = old.get(_SCOPE), new.get(_SCOPE)
    if after is not None and before != after:
        held = f"those who hold {before}" if before else "anybody"
        what = f"was open to {held} and needs {after} now"
        yield Broken(f"{pointer}/{_SCOPE}", what, "leave it open to them, and add an operation for what is new")


def _parameters(both: _Documents, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
    known, now = _by_name(old), _by_name(new)
    for key, parameter in known.items():
        here = pointer + pointer_to("parameters", *key)
        if key not in now:
            if key[0] != "path":
                yield Broken(here, "is gone", "take it still; a request with an unknown parameter is refused")
            continue
        if now[key].get("required") and not parameter.get("required"):
            yield Broken(here, "is required now", "leave it optional")
        yield from both.asked.broken(parameter["schema"], now[key]["schema"], here)
    for key in now.keys() - known.keys():
        if now[key].get("required") and key[0] != "path":
            yield Broken(pointer + pointer_to("parameters", *key), "is new and required", "make it optional")


def _by_name(operation: Document) -> dict[tuple[str, str], Document]:
    """Parameters by place and name; those in the path, which callers don't name, by their order."""
    found: dict[tuple[str, str], Document] = {}
    in_path = 0
    for parameter in operation.get("parameters", []):
        name = str(parameter["name"])
        if parameter["in"] == "path":
            in_path += 1
            name = str(in_path)
        found[parameter["in"], name] = parameter
    return found


def _request(both: _Documents, old: Document | None, new: Document | None, pointer: str) -> Iterator[Broken]:
    if new is None:
        if old is not None:
            yield Broken(pointer, "is gone", "take it still")
        return
    if new.get("required") and not (old or {}).get("required"):
        yield Broken(pointer, "is required now", "leave it optional")
    if old is None:
        return
    yield from _content(both.asked, old, new, pointer)


def _answer(both: _Documents, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
    for name in old.get("headers", {}).keys() - new.get("headers", {}).keys():
        yield Broken(pointer + pointer_to("headers", name), "is gone", "send it still")
    yield from _content(both.answered, old, new, pointer)


def _content(comparison: Comparison, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
    for media_type, body in old.get("content", {}).items():
        here = pointer + pointer_to("content", media_type)
        if media_type not in new.get("content", {}):
            yield Broken(here, "is gone", "keep the media type")
        elif "schema" in body:
            yield from comparison.broken(body["schema"], new["content"][media_type].get("schema", {}), f"{here}/schema")


def _at(node: Document, document: Document) -> Document:
    """What a reference to a shared response leads to."""
    if "$ref" not in node:
        return node
    found: Any = document
    for part in str(node["$ref"]).removeprefix("#/").split("/"):
        found = found[part]
    return found
