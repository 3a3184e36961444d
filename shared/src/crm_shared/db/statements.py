"""SQLAlchemy writes the SQL, asyncpg runs it: each statement shape is compiled once to text and parameter order.

Two kinds of statement pass through here. A module-level statement with named `bindparam`s is compiled once and then
found by identity. A statement built per call (dynamic filters) is found by its shape, which SQLAlchemy's own cache key
describes; its values travel beside the shape. Both caches are bounded.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ARRAY, JSON, ColumnElement, Table, any_, bindparam
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

K = TypeVar("K")
V = TypeVar("V")

_CACHE_SIZE = 2_000


def _make_dialect() -> Dialect:
    make = cast("type[Dialect]", asyncpg_dialect.dialect)
    return make()


DIALECT = _make_dialect()


@dataclass(frozen=True, slots=True)
class Prepared:
    """One statement shape: SQL text with `$n` places, and which named value goes where."""

    sql: str
    order: tuple[str, ...]
    defaults: Mapping[str, Any]
    compiled: SQLCompiler

    def arguments(self, params: Mapping[str, Any]) -> list[Any]:
        """The values in the order of their places.

        Raises:
            KeyError: `params` names something that the statement doesn't have.
        """
        defaults = self.defaults
        unknown = params.keys() - defaults.keys()
        if unknown:
            raise KeyError(f"the statement has no parameter {', '.join(sorted(unknown))}")
        return [params[name] if name in params else defaults[name] for name in self.order]


class _Bounded(OrderedDict[K, V], Generic[K, V]):
    """A cache that forgets what was used longest ago."""

    def look_up(self, key: K) -> V | None:
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

    def keep(self, key: K, value: V) -> V:
        self[key] = value
        if len(self) > _CACHE_SIZE:
            self.popitem(last=False)
        return value


_by_identity: _Bounded[ClauseElement, Prepared] = _Bounded()
_by_shape: _Bounded[Any, Prepared] = _Bounded()


def _prepare(statement: ClauseElement, cache_key: Any = None, columns: Sequence[str] | None = None) -> Prepared:
    extra: dict[str, Any] = {"cache_key": cache_key} if cache_key is not None else {}
    if columns is not None:
        extra["column_keys"] = columns
    compiled = cast("SQLCompiler", statement.compile(dialect=DIALECT, **extra))
    order = tuple(compiled.positiontup or ())
    return Prepared(str(compiled), order, dict(compiled.params), compiled)


def fixed(statement: ClauseElement) -> Prepared:
    """The prepared form of a statement whose values come by name."""
    known = _by_identity.look_up(statement)
    return known if known is not None else _by_identity.keep(statement, _prepare(statement))


def shaped(statement: ClauseElement) -> tuple[str, list[Any]]:
    """SQL and arguments of a statement that carries its own values."""
    key = statement._generate_cache_key()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # what SQLAlchemy's engine itself asks
    if key is None:  # some constructs have no shape to remember; they are compiled each time
        prepared = _prepare(statement)
        return prepared.sql, prepared.arguments({})
    known = _by_shape.look_up(key.key)
    if known is None:
        known = _by_shape.keep(key.key, _prepare(statement, cache_key=key))
    values = known.compiled.construct_params({}, extracted_parameters=key.bindparams, escape_names=False)
    return known.sql, [values[name] for name in known.order]


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT of many rows given as one array for each column. Those in `json` hold texts."""

    sql: str
    json: frozenset[int]


@lru_cache(maxsize=_CACHE_SIZE)
def insert_of_columns(table: Table, columns: tuple[str, ...]) -> Insert:
    """The statement that inserts many rows at once.

    JSON travels as text: an array of JSON lists would be taken for one array of more dimensions, and taken apart.

    Raises:
        TypeError: a column holds arrays itself; these would be taken apart.
    """
    kinds = [table.c[column].type for column in columns]
    if any(isinstance(kind, ARRAY) for kind in kinds):
        raise TypeError(f"{table.name} has columns of arrays")
    json = frozenset(nth for nth, kind in enumerate(kinds) if isinstance(kind, JSON))
    names = ", ".join(f'"{column}"' for column in columns)
    fields = ", ".join(f"c{nth}" for nth in range(len(kinds)))
    picked = ", ".join(f"c{nth}::jsonb" if nth in json else f"c{nth}" for nth in range(len(kinds)))
    places = ", ".join(f"${nth + 1}::{'text' if nth in json else _bare_name(kind)}[]" for nth, kind in enumerate(kinds))
    sql = f'INSERT INTO "{table.name}" ({names}) SELECT {picked} FROM unnest({places}) AS u({fields})'  # noqa: S608 # names from our own tables
    return Insert(sql, json)


def _bare_name(kind: TypeEngine[Any]) -> str:
    """A type's name without the collation, which is no part of a cast."""
    return kind.compile(dialect=DIALECT).partition(" COLLATE")[0]


def any_of(column: ColumnElement[V], values: Collection[V]) -> ColumnElement[bool]:
    """`column = ANY($1)`: one statement shape however many values there are, unlike an expanding `IN`."""
    bound: Any = bindparam(None, list(values), type_=ARRAY(column.type), unique=True)
    return column == any_(bound)


def any_param(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """`column = ANY($name)` for a module-level statement."""
    bound: Any = bindparam(name, type_=ARRAY(column.type))
    return column == any_(bound)
