"""What import contracts can't say: where SQL stands, where clocks are read, what a slice's neighbours may touch."""

import ast
import re

from .conftest import SERVICES, Module

SQL_HOMES = {"store", "tables"}
"""A slice's statements and the tables they speak of."""
TABLES_OF_THE_SERVICE = {"metadata"}
STATEMENT = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|WITH\s+\w+\s+AS|LOCK\s+TABLE)\s", re.DOTALL
)
CLOCKS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
}


def knows_sql(module: Module) -> bool:
    names_sql = any(name == "sqlalchemy" or name.startswith("sqlalchemy.") for name in module.imported())
    return names_sql or any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
        for node in ast.walk(module.tree)
    )


def test_sql_stands_in_stores_only(modules: list[Module]) -> None:
    strays = [
        str(module)
        for module in modules
        if module.package in SERVICES
        and not (SQL_HOMES & set(module.parts[2:]) or set(module.parts[1:2]) & TABLES_OF_THE_SERVICE)
        and knows_sql(module)
    ]
    assert not strays


def test_only_the_kernel_reads_a_clock(modules: list[Module]) -> None:
    """Rules get `now`, processes a `Clock`: a hidden clock can't be tested (`time.monotonic` only measures)."""
    strays = [
        f"{module}:{node.lineno} {read}"
        for module in modules
        if module.package != "crm_shared"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        if (read := ".".join(ast.unparse(node.func).split(".")[-2:])) in CLOCKS
    ]
    assert not strays


def test_the_kernel_has_one_clock(modules: list[Module]) -> None:
    readers = {
        module.name
        for module in modules
        if module.package == "crm_shared"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ".".join(ast.unparse(node.func).split(".")[-2:]) in CLOCKS
    }
    assert readers <= {"crm_shared.clock"}


def test_nobody_commits_outside_the_unit_of_work(modules: list[Module]) -> None:
    strays = [
        f"{module}:{node.lineno}"
        for module in modules
        if module.package in SERVICES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "rollback"}
    ]
    assert not strays
