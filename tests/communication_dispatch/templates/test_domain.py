"""A template's life, languages and variables."""

from datetime import UTC, date, datetime
from decimal import Decimal
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
    check_shape,
    choose_language,
    content_hash,
    missing_translations,
    require_draft,
    typed_values,
)
from crm_shared.errors import Conflict, Invalid
from crm_shared.money import Money

HELLO = EmailText("Hello", "Hello\n", None)


def version(languages=("en", "de"), content=None, status=VersionStatus.DRAFT) -> TemplateVersion:
    content = content or Content({"en": HELLO}, {})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return TemplateVersion(UUID(int=1), 1, status, languages, (), content, "x", "usr_1", now, None, None, 1)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("pt-BR", "pt-BR"), ("pt-PT", "pt"), ("de", "de-AT"), ("fr", "en"), (None, "en"), ("pt", "pt"), ("EN", "en")],
)
def test_locale_chain_goes_from_person_to_language_to_default(wanted, chosen):
    assert choose_language(["en", "pt", "pt-BR", "de-AT"], wanted, "en") == chosen


def test_a_missing_translation_is_named():
    content = Content({"en": HELLO, "de": HELLO}, {"en": SmsText("hi")})
    assert [e.pointer for e in missing_translations(version(content=content))] == ["/content/sms/de"]


def test_an_approved_version_is_never_changed():
    with pytest.raises(Conflict, match="never changes"):
        require_draft(version(status=VersionStatus.APPROVED))


def test_the_hash_covers_everything_a_customer_reads():
    base = (("en",), (), Content({"en": HELLO}, {}))
    others = [
        (("en", "de"), (), base[2]),
        (("en",), (Variable("a", VariableType.STRING),), base[2]),
        (("en",), (), Content({"en": EmailText("Hello!", "Hello\n", None)}, {})),
        (("en",), (), Content({"en": HELLO}, {"en": SmsText("Hello")})),
    ]
    hashes = {content_hash(*parts) for parts in (base, *others)}
    assert len(hashes) == 5
    assert content_hash(*base) == content_hash(*base)


def test_languages_and_variables_are_checked():
    errors = check_shape(
        ["en", "xx-long-nonsense"],
        [
            Variable("customer", VariableType.STRING),
            Variable("a", VariableType.STRING),
            Variable("a", VariableType.URL),
        ],
        Content({"en": HELLO, "fr": HELLO}, {}),
    )
    assert {e.code for e in errors} == {
        "language_malformed", "language_undeclared", "variable_name_invalid", "variable_repeated",
    }  # fmt: skip


ALL = (
    Variable("name", VariableType.STRING),
    Variable("count", VariableType.INTEGER),
    Variable("rate", VariableType.NUMBER),
    Variable("vip", VariableType.BOOLEAN),
    Variable("day", VariableType.DATE),
    Variable("price", VariableType.MONEY),
    Variable("url", VariableType.URL),
    Variable("note", VariableType.STRING, required=False),
    Variable("items", VariableType.LIST, fields=(Variable("sku", VariableType.STRING),)),
)
GOOD = {
    "name": "x", "count": 3, "rate": "1.5", "vip": True, "day": "2026-11-21", "url": "https://example.org/a?b=c",
    "price": {"amount": "12.30", "currency": "EUR"}, "items": [{"sku": "A"}],
}  # fmt: skip


def test_values_become_their_declared_types():
    values = typed_values(ALL, GOOD)
    assert values["rate"] == Decimal("1.5")
    assert values["day"] == date(2026, 11, 21)
    assert values["price"] == Money(Decimal("12.30"), "EUR")
    assert values["note"] is None


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"name": None}, "/variables/name", "variable_missing"),
        ({"count": "3"}, "/variables/count", "variable_type"),
        ({"count": True}, "/variables/count", "variable_type"),
        ({"rate": "NaN"}, "/variables/rate", "variable_type"),
        ({"vip": 1}, "/variables/vip", "variable_type"),
        ({"day": "soon"}, "/variables/day", "variable_type"),
        ({"price": {"amount": "1"}}, "/variables/price", "variable_type"),
        ({"url": "javascript:alert(1)"}, "/variables/url", "variable_type"),
        ({"url": 'https://x/"onclick=1'}, "/variables/url", "variable_type"),
        ({"items": [{"sku": 1}]}, "/variables/items/0/sku", "variable_type"),
        ({"items": ["A"]}, "/variables/items", "variable_type"),
        ({"items": [{"sku": "A"}] * 201}, "/variables/items", "variable_type"),
        ({"other": 1}, "/variables/other", "variable_unknown"),
    ],
)
def test_a_wrong_variable_is_named(change, pointer, code):
    with pytest.raises(Invalid) as caught:
        typed_values(ALL, {**GOOD, **change})
    assert [(e.pointer, e.code) for e in caught.value.errors] == [(pointer, code)]
    assert pointer.split("/")[2] in caught.value.detail
