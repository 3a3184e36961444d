"""Plans of the statements that are really sent, and what is wrong with one."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from asyncpg.connection import Connection
from tests.plans.crowd import COPIES

Node = Mapping[str, Any]
_WHOLE_TENANT = COPIES / 2
_BEYOND_TENANT = re.compile(r"\((?!tenant_id\b|NULLIF\b|current_setting\b)\w+[\w.:()]* (=|<|>|<=|>=|~)")


@dataclass(frozen=True)
class Plan:
    """One statement's plan, taken just before it ran, by the same connection in the same role."""

    statement: str
    root: Node

    @property
    def blocks(self) -> int:
        """How many pieces of tables and indexes it took; only where plans are measured."""
        return self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"]

    def tables(self) -> Iterator[str]:
        """The tables that it reads."""
        return _tables(self.root)

    def faults(self, large: frozenset[str]) -> Iterator[str]:
        """What grows with the tenant though the answer doesn't."""
        for node, bounded in _nodes(self.root):
            table = node.get("Relation Name")
            if table in large and node["Node Type"].endswith("Seq Scan"):
                yield f"reads {table} from end to end"
            if table in large and not bounded and "Filter" in node and _walks_the_tenant(node):
                yield f"walks over all of the tenant's {table}"
            sorts_many = node["Node Type"] == "Sort" and node["Plan Rows"] >= _WHOLE_TENANT / 2
            if bounded and sorts_many and not large.isdisjoint(_tables(node)):
                yield f"sorts {node['Plan Rows']} rows by {node['Sort Key']} to show a few"


def _tables(node: Node) -> Iterator[str]:
    return (each["Relation Name"] for each, _ in _nodes(node) if "Relation Name" in each)


def _nodes(node: Node, *, bounded: bool = False) -> Iterator[tuple[Node, bool]]:
    """All nodes, and whether somebody above stops asking after a few rows."""
    bounded = bounded or node["Node Type"] == "Limit"
    yield node, bounded
    for child in node.get("Plans", ()):
        yield from _nodes(child, bounded=bounded)


def _walks_the_tenant(node: Node) -> bool:
    condition = node.get("Index Cond", "")
    return "tenant_id" in condition and not _BEYOND_TENANT.search(condition)


def watched(monkeypatch: pytest.MonkeyPatch, *, measured: bool = False) -> list[Plan]:
    """The plans of all SELECTs that run from now on; measured ones have been carried out once before."""
    seen: list[Plan] = []
    options = "ANALYZE, BUFFERS, FORMAT JSON" if measured else "FORMAT JSON"
    fetch = Connection.fetch

    def explaining(run: Callable[..., Any]) -> Callable[..., Any]:
        async def explained(self: Any, query: str, *arguments: Any, **more: Any) -> Any:
            if query.lstrip().upper().startswith(("SELECT", "WITH")):
                found = await fetch(self, f"EXPLAIN ({options}) {query}", *arguments)
                seen.append(Plan(query, orjson.loads(found[0][0])[0]["Plan"]))
            return await run(self, query, *arguments, **more)

        return explained

    for name in ("fetch", "fetchrow", "fetchval"):
        monkeypatch.setattr(Connection, name, explaining(getattr(Connection, name)))
    return seen
