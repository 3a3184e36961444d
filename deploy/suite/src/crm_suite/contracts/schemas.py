"""Two versions of a JSON Schema: does the new one keep what the old one promised?

Each keyword that differs makes the schema tighter or looser, or both where nobody can tell; who writes and who reads
decides which of them breaks somebody. A keyword that isn't known here counts as both: no change slips through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from crm_suite.contracts.promises import Broken, Document, Effect, Use, pointer_to

_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_REMARKS = frozenset(
    {"title", "description", "examples", "example", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment"}
    | {"$defs", "discriminator", "externalDocs"}
)
_COMPARED = frozenset(
    {"type", "enum", "const", "properties", "required", "additionalProperties", "items", "default"}
    | {*_LOWEST, *_HIGHEST}
)
_BOTH = (Effect.TIGHTER, Effect.LOOSER)
_GONE = "take it back in; what is to replace it goes beside it"


@dataclass(frozen=True, slots=True)
class _Form:
    """What a schema may be, written out or referred to, and whether it may be null."""

    variants: tuple[Document, ...]
    nullable: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares schemas of two documents, in which their references lead somewhere; each pair of references once."""

    old: Document
    new: Document
    use: Use
    seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def broken(self, old: Document, new: Document, pointer: str = "") -> Iterator[Broken]:
        """Every promise of `old` that `new` breaks; what is shared is named where it is shared."""
        before, after = _form(old, self.old), _form(new, self.new)
        if before.nullable != after.nullable:
            effect, what = (
                (Effect.LOOSER, "may be null now") if after.nullable else (Effect.TIGHTER, "may not be null any more")
            )
            yield from self._refuse(pointer, what, effect)
        if len(before.variants) == len(after.variants) == 1:
            yield from self._variant(before.variants[0], after.variants[0], pointer)
            return
        known = {_label(_resolved(variant, self.old)): variant for variant in before.variants}
        now = {_label(_resolved(variant, self.new)): variant for variant in after.variants}
        for label in known.keys() - now.keys():
            yield from self._refuse(pointer, f"may not be {label} any more", Effect.TIGHTER)
        for label in now.keys() - known.keys():
            yield from self._refuse(pointer, f"may be {label} now", Effect.LOOSER)
        for label in sorted(known.keys() & now.keys()):
            yield from self._variant(known[label], now[label], pointer)

    def _variant(self, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"])
            if pair in self.seen:
                return
            self.seen.add(pair)
            pointer = new["$ref"].removeprefix("#")
        yield from self._inside(_resolved(old, self.old), _resolved(new, self.new), pointer)

    def _inside(self, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
        changes = [*_types(old, new), *_values(old, new), *_bounds(old, new), *_others(old, new)]
        for what, effects in changes:
            yield from self._refuse(pointer, what, *effects)
        if old.get("default") != new.get("default") and Effect.LOOSER not in self.use.forbidden:
            what = f"what is left out was taken as {old.get('default')!r}, now as {new.get('default')!r}"
            yield Broken(pointer, what, "keep the default")
        yield from self._fields(old, new, pointer)
        yield from self._more_fields(old, new, pointer)
        if "items" in old and "items" in new:
            yield from self.broken(old["items"], new["items"], pointer + "/items")
        elif ("items" in old) != ("items" in new):
            effect = Effect.TIGHTER if "items" in new else Effect.LOOSER
            yield from self._refuse(pointer, "what its items are has changed", effect)

    def _fields(self, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
        known, now = _mapping(old, "properties"), _mapping(new, "properties")
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        refuses_unknown = new.get("additionalProperties") is False
        for name in known:
            here = pointer + pointer_to("properties", name)
            if name not in now:
                # What we read of open objects we may cease to read; what others read or send must stay.
                if refuses_unknown or Effect.LOOSER in self.use.forbidden:
                    yield Broken(here, "is gone", _GONE)
                continue
            if name in is_required - was_required:
                yield from self._refuse(here, "is required now", Effect.TIGHTER)
            if name in was_required - is_required:
                yield from self._refuse(here, "may be missing now", Effect.LOOSER)
            yield from self.broken(known[name], now[name], here)
        for name in now.keys() - known.keys():
            if name in is_required:
                here = pointer + pointer_to("properties", name)
                yield from self._refuse(here, "is new and required", Effect.TIGHTER, way_out="add it as optional")

    def _more_fields(self, old: Document, new: Document, pointer: str) -> Iterator[Broken]:
        """Fields that the schema doesn't name."""
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(before, dict) and isinstance(after, dict):
            here = pointer + "/additionalProperties"
            yield from self.broken(cast("Document", before), cast("Document", after), here)
        elif before is True and after is False:
            yield from self._refuse(pointer, "fields that it doesn't name are refused now", Effect.TIGHTER)
        elif before != after and not (before is False and after is True and "properties" in old):
            effects = (Effect.LOOSER,) if after is True else (Effect.TIGHTER,) if before is True else _BOTH
            yield from self._refuse(pointer, "which fields may be there beside those named has changed", *effects)

    def _refuse(self, pointer: str, what: str, *effects: Effect, way_out: str = "") -> Iterator[Broken]:
        if self.use.forbidden.intersection(effects):
            yield Broken(pointer, what, way_out or self.use.way_out)


_Changes = Iterator[tuple[str, tuple[Effect, ...]]]


def _types(old: Document, new: Document) -> _Changes:
    before, after = _type(old), _type(new)
    if before == after:
        return
    wider = [{"number"}, set[str]()]  # what a whole number becomes, and what anything becomes
    if after in wider and (not after or before == {"integer"}):
        effects: tuple[Effect, ...] = (Effect.LOOSER,)
    elif before in wider and (not before or after == {"integer"}):
        effects = (Effect.TIGHTER,)
    else:
        effects = _BOTH
    yield f"was {_said(before)} and is {_said(after)} now", effects


def _values(old: Document, new: Document) -> _Changes:
    """Closed enumerations; those marked `x-extensible-enum` may grow and shrink."""
    before, after = _closed(old), _closed(new)
    if before is None and after is not None:
        yield f"only {_listed(after)} are allowed now", (Effect.TIGHTER,)
    elif before is not None and after is None:
        yield f"was one of {_listed(before)} and may be anything now", (Effect.LOOSER,)
    elif before is not None and after is not None:
        if gone := before - after:
            yield f"may not be {_listed(gone)} any more", (Effect.TIGHTER,)
        if come := after - before:
            yield f"may be {_listed(come)} now", (Effect.LOOSER,)


def _bounds(old: Document, new: Document) -> _Changes:
    for keyword in (*_LOWEST, *_HIGHEST):
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            rises = before is None or (after is not None and after > before)
            tighter = after is not None and (before is None or rises == (keyword in _LOWEST))
            yield f"{keyword} was {before} and is {after} now", (Effect.TIGHTER if tighter else Effect.LOOSER,)


def _others(old: Document, new: Document) -> _Changes:
    """What can only be equal or not: patterns, formats, and every keyword that isn't known here."""
    for keyword in sorted((old.keys() | new.keys()) - _COMPARED - _REMARKS):
        if keyword.startswith("x-") or old.get(keyword) == new.get(keyword):
            continue
        effects = (Effect.TIGHTER,) if keyword not in old else (Effect.LOOSER,) if keyword not in new else _BOTH
        yield f"{keyword} was {old.get(keyword)!r} and is {new.get(keyword)!r} now", effects


def _form(schema: Document, root: Document) -> _Form:
    resolved = _resolved(schema, root)
    choices: list[Document] = resolved.get("anyOf") or resolved.get("oneOf") or []
    if choices:
        forms = [_form(choice, root) for choice in choices]
        variants = tuple(variant for form in forms for variant in form.variants)
        return _Form(variants, any(form.nullable for form in forms))
    types = _type(resolved)
    if "null" not in types:
        return _Form((schema,), nullable=False)
    rest = sorted(types - {"null"})
    return _Form(({**resolved, "type": rest},) if rest else (), nullable=True)


def _resolved(schema: Document, root: Document) -> Document:
    """The schema behind its references; what stands beside a reference are remarks."""
    while "$ref" in schema:
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        schema = found
    if len(schema.get("allOf", ())) == 1:
        return _resolved(schema["allOf"][0], root)
    return schema


def _type(schema: Document) -> set[str]:
    types: str | list[str] = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _closed(schema: Document) -> frozenset[str] | None:
    values: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else frozenset(repr(value) for value in values)


def _label(variant: Document) -> str:
    """By what a variant is told from the others: its constant, else its title, else its type."""
    constants = [str(inner["const"]) for inner in _mapping(variant, "properties").values() if "const" in inner]
    return ", ".join(constants) or str(variant.get("title") or _said(_type(variant)))


def _mapping(schema: Document, keyword: str) -> Mapping[str, Document]:
    return schema.get(keyword, {})


def _said(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "anything"


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(values))
