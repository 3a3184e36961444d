"""The tenant predicate of statements that run as the finder role, which row-level security does not hold back."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, and_, bindparam
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.selectable import Alias, CompoundSelect, FromClause, Join

from crm_shared.db.metadata import TENANT, is_walled_table


class Unwalled(RuntimeError):
    """A statement could not be confined to one tenant; it isn't run."""


TENANT_OF_FINDER = "tenant_of_finder"


@lru_cache(maxsize=1_000)
def walled(statement: ClauseElement) -> ClauseElement:
    """A module-level statement confined to the tenant that its parameter `TENANT_OF_FINDER` names; confined once."""
    return within_tenant(statement, bindparam(TENANT_OF_FINDER, type_=SqlUuid()))


def within_tenant(statement: Any, tenant: UUID | BindParameter[UUID]) -> Any:
    """`statement` with `tenant_id = <tenant>` on every tenant table of every SELECT in it.

    The nullable side of an outer join gets the predicate in its ON clause, all others in WHERE.

    Raises:
        Unwalled: it isn't a SELECT (or a union of them), or a tenant table stands where no predicate could be added.
    """
    if not (_is(statement, Select) or _is(statement, CompoundSelect)):
        raise Unwalled("only a SELECT can be run as the finder")

    def confine_select(element: Any) -> None:
        found = [table for clause in element.get_final_froms() for table in _required(clause)]
        if found:
            confined = element.where(*(table.c[TENANT] == tenant for table in found))
            # The traversal hands out fresh copies to be changed in place; `where` alone would make one more.
            element.__dict__.update(confined.__dict__)

    def confine_join(element: Any) -> None:
        if element.isouter:
            element.onclause = and_(
                element.onclause, *(table.c[TENANT] == tenant for table in _required(element.right))
            )

    walled: Any = visitors.cloned_traverse(statement, {}, {"select": confine_select, "join": confine_join})
    _verify(walled)
    return walled


def _required(clause: FromClause) -> list[FromClause]:
    """The tenant tables of a FROM clause whose rows are never filled in by an outer join."""
    if isinstance(clause, Join):
        if clause.full:
            raise Unwalled("a full join has no side that could carry the tenant predicate")
        return _required(clause.left) + ([] if clause.isouter else _required(clause.right))
    target: Any = clause.element if isinstance(clause, Alias) else clause
    return [clause] if is_walled_table(target) else []


def _named(condition: ClauseElement | None) -> set[int]:
    """The tables whose tenant a condition speaks of."""
    parts: Iterator[Any] = iter(visitors.iterate(condition) if condition is not None else ())
    return {id(part.table) for part in parts if getattr(part, "name", None) == TENANT and hasattr(part, "table")}


def _is(element: Any, kind: Any) -> bool:
    """`isinstance`, without the type parameters that a checker would then miss."""
    return isinstance(element, kind)


def _verify(statement: ClauseElement) -> None:
    elements: Iterator[Any] = iter(visitors.iterate(statement))
    for element in elements:
        checks: list[tuple[list[FromClause], set[int]]] = []
        if _is(element, Select):
            tables = [table for clause in element.get_final_froms() for table in _required(clause)]
            checks.append((tables, _named(element.whereclause)))
        elif _is(element, Join) and element.isouter:
            checks.append((_required(element.right), _named(element.onclause)))
        for tables, named in checks:
            for table in tables:
                if id(table) not in named:
                    raise Unwalled(f"no tenant predicate on {table}")
