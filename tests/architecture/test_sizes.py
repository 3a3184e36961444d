"""Files and functions stay small enough to be read at one sitting."""

import ast
from collections.abc import Iterator

from .conftest import Module

LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 45
PARAMETERS = 6


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_is_long(modules: list[Module]) -> None:
    long = {str(module): lines for module in modules if (lines := module.text.count("\n")) > LINES_OF_A_FILE}
    assert not long, "make each a package named by concepts"


def test_no_function_is_long(modules: list[Module]) -> None:
    long = {
        f"{module}:{function.lineno} {function.name}": body_lines(function)
        for module in modules
        for function in functions(module)
        if body_lines(function) > LINES_OF_A_FUNCTION
    }
    assert not long


def test_no_function_takes_many_parameters(modules: list[Module]) -> None:
    many: dict[str, int] = {}
    for module in modules:
        for function in functions(module):
            named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            count = sum(argument.arg not in {"self", "cls"} for argument in named)
            if count > PARAMETERS:
                many[f"{module}:{function.lineno} {function.name}"] = count
    assert not many, "gather what belongs together in a frozen dataclass"
