"""A version compiled once."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from crm_communication_dispatch.templates.domain import (
    Content,
    EmailText,
    SmsText,
    TemplateVersion,
    Variable,
    VariableType,
    VersionStatus,
    content_hash,
)
from crm_communication_dispatch.templates.rendering import check_sources, compiled

ANN = SimpleNamespace(given_name="Ann", family_name="Lee", display_name="Ann Lee", language="en", country=None)


class Links:
    def click(self, index: int) -> str:
        return f"https://t.example/c/{index}"

    def unsubscribe(self) -> str:
        return "https://t.example/u"

    def web_view(self) -> str:
        return "https://t.example/v"


def version(
    html: str | None, text: str = "Hi {{ customer.given_name }}\n", subject: str = "For {{ customer.given_name }}"
):
    variables = (Variable("offer", VariableType.URL), Variable("note", VariableType.STRING, required=False))
    content = Content({"en": EmailText(subject, text, html)}, {"en": SmsText("Hi {{ customer.given_name }}")})
    return TemplateVersion(
        UUID(int=1), 1, VersionStatus.APPROVED, ("en",), variables, content, content_hash(("en",), variables, content),
        "usr_1", datetime(2026, 1, 1, tzinfo=UTC), None, None, 1,
    )  # fmt: skip


def test_links_are_counted_and_lead_where_the_author_said():
    html = (
        '<a href="https://shop.example/a?x=1&amp;y=2">A</a> <a class="b" href=\'{{ offer }}\'>B</a>'
        '<a href="{{ links.unsubscribe }}">no</a> <a href="mailto:x@example.org">m</a>'
    )
    made = compiled(version(html, text="See https://shop.example/t?window=now.\n"))
    mail = made.email("en")
    values = made.values_for(ANN, {"offer": "https://shop.example/o?window=now"})
    rendered = mail.render(values, Links())
    assert rendered.text == "See https://t.example/c/0.\n"
    assert rendered.html == (
        '<a href="https://t.example/c/1">A</a> <a class="b" href=\'https://t.example/c/2\'>B</a>'
        '<a href="https://t.example/u">no</a> <a href="mailto:x@example.org">m</a>'
    )
    assert [mail.destination(i, values) for i in range(4)] == [
        "https://shop.example/t?window=now",
        "https://shop.example/a?x=1&y=2",
        "https://shop.example/o?window=now",
        None,
    ]


def test_a_version_is_compiled_once():
    assert compiled(version(None)) is compiled(version(None))


def test_a_subject_stays_on_one_line():
    made = compiled(version(None, subject="A\n{{ note }}"))
    values = made.values_for(ANN, {"offer": "https://x.example", "note": "b\r\nBcc: evil@example.org"})
    assert made.email("en").render(values, Links()).subject == "A b Bcc: evil@example.org"


def test_a_missing_optional_value_prints_nothing():
    made = compiled(version(None, text="[{{ note }}][{{ customer.country|default('?') }}]"))
    values = made.values_for(ANN, {"offer": "https://x.example"})
    assert made.email("en").render(values, Links()).text == "[][?]"


@pytest.mark.parametrize(
    ("html", "pointer"),
    [("{{ nobody }}", "/content/email/en/html"), ('<a href="{{ offer|default("x") }}">', "/content/email/en")],
)
def test_what_the_sandbox_refuses_is_named_by_place(html, pointer):
    assert [e.pointer for e in check_sources(version(html))] == [pointer]


def test_what_is_fine_passes():
    assert check_sources(version("<p>{{ offer }}</p>")) == []
