"""The cage around authors' templates."""

import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_communication_dispatch.templates.domain import Variable, VariableType
from crm_communication_dispatch.templates.sandbox import MAX_OUTPUT, Piece, TemplateRefused, check

VARIABLES = (
    Variable("name", VariableType.STRING),
    Variable("items", VariableType.LIST, fields=(Variable("sku", VariableType.STRING),)),
)
PIECES = [
    *(
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "{% endif %}",
        "{% endfor %}",
        "{% else %}",
        "{% if name %}",
        "{# ",
        " #}",
        "{{",
        "{%-",
    ),
    *(
        "{% for a in items %}",
        "name",
        "a.sku",
        "customer.country",
        "loop.index",
        " | upper",
        "|date('%Y')",
        "|default('x')",
    ),
    *(
        "'",
        '"',
        "(",
        ")",
        "[",
        "]",
        ".",
        ",",
        ":",
        " and ",
        " not ",
        " == ",
        " < ",
        " is none",
        " in ",
        "1",
        "~",
        "\n",
        "\x00",
    ),
    *("{% raw %}", "{% set x = 1 %}", "__class__", "{{ name }}", "{{ a.sku }}", "<b>", "é", "\U0001f600", "\ud800"),
]


@pytest.mark.parametrize(
    "source",
    [
        "Hi {{ name|upper }}",
        "{% if name %}a{% elif customer.country == 'DE' %}b{% else %}c{% endif %}",
        "{% for item in items %}{{ loop.index }}: {{ item.sku }}{% else %}none{% endfor %}",
        "{{ customer.given_name|default('friend') }} {{ links.unsubscribe }} {{ coupon }}",
        "{{ 'a' if name is none else 'b' }}",
        "{% for a in items %}{% for b in items %}{{ b.sku }}{% endfor %}{% endfor %}",
    ],
)
def test_what_mails_need_is_allowed(source):
    check(source, VARIABLES)


@pytest.mark.parametrize(
    "source",
    [
        "{{ name.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ name['__class__'] }}",
        "{{ name() }}",
        "{{ name.upper() }}",
        "{{ 'x' * 100000000 }}",
        "{{ 10 ** 10 }}",
        "{{ name ~ name }}",
        "{{ name + name }}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% import 'x' as y %}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% for c in 'abc' %}{{ c }}{% endfor %}",
        "{% for c in range(9) %}{{ c }}{% endfor %}",
        "{% for i in items recursive %}{{ loop(items) }}{% endfor %}",
        "{% for i in items if i.sku %}{% endfor %}",
        "{% for a in items %}{% for b in items %}{% for c in items %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% for i in items %}{{ i }}{% endfor %}",
        "{% for i in items %}{{ i.price }}{% endfor %}",
        "{{ name|safe }}",
        "{{ name|format('x') }}",
        "{{ name|attr('x') }}",
        "{{ name|center(1000000) }}",
        "{{ name is callable }}",
        "{{ unknown }}",
        "{{ _link_0 }}",
        "{{ customer.email }}",
        "{{ customer }}",
        "{{ self }}",
        "{{ lipsum }}",
        "{{ cycler }}",
        "{% filter upper %}x{% endfilter %}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
        "{{ [1,2] }}",
        "{{ {'a': 1} }}",
        "{% if name %}",
        "{{ name",
        "x" * 300_000,
    ],
)
def test_everything_else_is_refused(source):
    with pytest.raises(TemplateRefused):
        check(source, VARIABLES)


@pytest.mark.parametrize(
    "source",
    [
        "{% if name %}" * 3_000 + "{% endif %}" * 3_000,
        "{% if name %}" * 150 + "{% endif %}" * 150,  # more than Python's compiler indents
        "{{ name" + "|upper" * 400 + " }}",
        "{{ " + "name and " * 900 + "name }}",
        "{{ " + "(" * 300 + "name" + ")" * 300 + " }}",
    ],
    ids=["parser", "compiler", "filters", "chain", "brackets"],
)
def test_a_deeply_nested_template_is_refused_not_a_crash(source):
    with pytest.raises(TemplateRefused):
        check(source, VARIABLES)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_source_is_refused_or_compiles(source):
    try:
        check(source, VARIABLES)
    except TemplateRefused:
        return
    Piece(source, html=True)
    Piece(source, html=False)


def test_output_is_bounded_whatever_the_loops_multiply():
    items = [SimpleNamespace(sku="x" * 10_000)] * 200
    piece = Piece("{% for a in items %}{% for b in items %}{{ b.sku }}{% endfor %}{% endfor %}", html=False)
    started = time.perf_counter()
    with pytest.raises(TemplateRefused) as caught:
        piece.render({"items": items})
    assert caught.value.code == "output_too_large"
    assert time.perf_counter() - started < 1.0
    assert MAX_OUTPUT < 1_000_000


def test_html_is_escaped_and_text_is_not():
    assert Piece("{{ name }}", html=True).render({"name": "<b>&"}) == "&lt;b&gt;&amp;"
    assert Piece("{{ name }}", html=False).render({"name": "<b>&"}) == "<b>&"
