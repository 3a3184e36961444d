"""Authors' templates run in a cage: Jinja's immutable sandbox, narrowed to an allow-list of its syntax.

The sandbox alone still let a template make 100 MB from one string product and run nine million loop turns, so there is
no arithmetic, no call and no assignment here; loops go over declared lists only, at most two deep; output is bounded.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from crm_communication_dispatch.templates.domain import Variable, VariableType
from crm_shared.money import Money

MAX_SOURCE = 256 * 1024
MAX_OUTPUT = 512 * 1024
_MAX_NODES = 5_000
_MAX_LOOP_DEPTH = 2
_MAX_LEVELS = 64  # Python, which templates become, indents a hundred levels

_ALLOWED_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Const, nodes.If, nodes.CondExpr,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Filter, nodes.For, nodes.Test, nodes.Keyword,
)  # fmt: skip
_FILTERS = frozenset({"upper", "lower", "title", "capitalize", "trim", "default", "date", "money", "length"})
_TESTS = frozenset({"none", "defined"})
CUSTOMER_FIELDS = frozenset({"given_name", "family_name", "display_name", "language", "country"})
LINK_FIELDS = frozenset({"unsubscribe", "web_view"})
_PLAIN_FIELDS = CUSTOMER_FIELDS | LINK_FIELDS
_LOOP_FIELDS = frozenset({"index", "first", "last"})


class TemplateRefused(Exception):
    """A template uses something that isn't allowed, or its output grew too large; `code` is stable."""

    def __init__(self, message: str, code: str = "template_refused") -> None:
        super().__init__(message)
        self.code = code


def _filter_default(value: Any, fallback: Any = "") -> Any:
    return fallback if value is None or value == "" or isinstance(value, Undefined) else value


def _filter_date(value: Any, pattern: str = "%Y-%m-%d") -> str:
    return value.strftime(pattern) if isinstance(value, date) else ""


def _filter_money(value: Any) -> str:
    return f"{value.rounded().amount:,f} {value.currency}" if isinstance(value, Money) else str(value)


def _finalize(value: Any) -> Any:
    """What a bare `{{ value }}` prints: a missing optional value prints nothing."""
    if value is None:
        return ""
    if isinstance(value, Money):
        return _filter_money(value)
    return format(value, "f") if isinstance(value, Decimal) else value


class _Cage(ImmutableSandboxedEnvironment):
    """The sandbox, with a short way for what every mail asks: a plain value behind a name on the list."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute in _PLAIN_FIELDS:
            value = getattr(obj, attribute, None)
            if type(value) is str:  # can do nothing, whatever it was read from
                return value
        return super().getattr(obj, attribute)


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    environment = _Cage(autoescape=html, undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True)
    filters: dict[str, Any] = environment.filters
    for name in filters.keys() - _FILTERS:
        del filters[name]
    filters |= {"default": _filter_default, "date": _filter_date, "money": _filter_money}
    for name in environment.tests.keys() - _TESTS:
        del environment.tests[name]
    environment.globals = {}
    return environment


_HTML = _environment(html=True)
_TEXT = _environment(html=False)


class _Checker:
    """Walks a syntax tree and refuses what isn't on the list."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._variables = {variable.name: variable for variable in variables}
        self._count = 0
        self._level = 0

    def check(self, node: nodes.Node, scope: Mapping[str, frozenset[str]], depth: int = 0) -> None:
        self._level += 1
        if self._level > _MAX_LEVELS:
            raise TemplateRefused("The template is nested too deeply.")
        self._check(node, scope, depth)
        self._level -= 1

    def _check(self, node: nodes.Node, scope: Mapping[str, frozenset[str]], depth: int) -> None:
        self._count += 1
        if self._count > _MAX_NODES:
            raise TemplateRefused("The template is too complicated.")
        if not isinstance(node, _ALLOWED_NODES):
            raise TemplateRefused(f"Line {node.lineno}: {type(node).__name__} isn't allowed in a template.")
        if isinstance(node, nodes.For):
            self._check_for(node, scope, depth)
            return
        if isinstance(node, nodes.Getattr):
            self._check_attribute(node, scope)
            return
        if isinstance(node, nodes.Name):
            self._check_name(node, scope)
        elif isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise TemplateRefused(f"Line {node.lineno}: there is no filter {node.name}.")
        elif isinstance(node, nodes.Test) and node.name not in _TESTS:
            raise TemplateRefused(f"Line {node.lineno}: there is no test {node.name}.")
        for child in node.iter_child_nodes():
            self.check(child, scope, depth)

    def _check_name(self, node: nodes.Name, scope: Mapping[str, frozenset[str]]) -> None:
        if node.ctx != "load":
            raise TemplateRefused(f"Line {node.lineno}: a template can't assign.")
        if node.name in scope:
            raise TemplateRefused(f"Line {node.lineno}: say which field of {node.name} you mean.")
        if node.name != "coupon" and node.name not in self._variables:
            raise TemplateRefused(f"Line {node.lineno}: {node.name} is not a declared variable.", "variable_undeclared")

    def _check_attribute(self, node: nodes.Getattr, scope: Mapping[str, frozenset[str]]) -> None:
        root = node.node
        fields = scope.get(root.name) if isinstance(root, nodes.Name) else None
        if fields is None or node.attr not in fields:
            raise TemplateRefused(f"Line {node.lineno}: there is no field {node.attr} here.", "field_unknown")

    def _check_for(self, node: nodes.For, scope: Mapping[str, frozenset[str]], depth: int) -> None:
        source, target = node.iter, node.target
        if depth >= _MAX_LOOP_DEPTH or node.recursive or node.test is not None:
            raise TemplateRefused(f"Line {node.lineno}: loops are plain and at most {_MAX_LOOP_DEPTH} deep.")
        known = self._variables.get(source.name) if isinstance(source, nodes.Name) else None
        if known is None or known.type is not VariableType.LIST or not isinstance(target, nodes.Name):
            raise TemplateRefused(f"Line {node.lineno}: a loop goes over a declared list.")
        if target.name in self._variables or target.name in scope or target.name.startswith("_"):
            raise TemplateRefused(f"Line {node.lineno}: the name {target.name} is taken.")
        inner = {**scope, target.name: frozenset(field.name for field in known.fields), "loop": _LOOP_FIELDS}
        for child in (*node.body, *node.else_):
            self.check(child, inner, depth + 1)


_ROOTS: Mapping[str, frozenset[str]] = {"customer": CUSTOMER_FIELDS, "links": LINK_FIELDS}


def check(source: str, variables: Sequence[Variable]) -> None:
    """Refuse a source that uses anything outside the allow-list or names an undeclared variable.

    Raises:
        TemplateRefused: with the line and the reason.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateRefused("The template is longer than 256 kB.")
    try:
        tree = _TEXT.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateRefused(f"Line {error.lineno}: {error.message}", "template_syntax") from error
    except RecursionError:
        raise TemplateRefused("The template is nested too deeply.") from None
    _Checker(variables).check(tree, _ROOTS)


class Piece:
    """One compiled text; compiled once, rendered many times."""

    def __init__(self, source: str, *, html: bool) -> None:
        self._template = (_HTML if html else _TEXT).from_string(source)

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for one customer.

        Raises:
            TemplateRefused: it grew beyond the limit, or a value could not be shown.
        """
        try:
            return self._bounded(values)
        except TemplateRefused:
            raise
        except Exception as error:
            raise TemplateRefused(f"The template can't be rendered: {error}", "render_failed") from error

    def _bounded(self, values: Mapping[str, Any]) -> str:
        size = 0
        parts: list[str] = []
        for part in self._template.root_render_func(self._template.new_context(values)):  # pyright: ignore[reportArgumentType] # copied
            size += len(part)
            if size > MAX_OUTPUT:
                raise TemplateRefused("The rendered text is longer than 512 kB.", "output_too_large")
            parts.append(part)
        return "".join(parts)
