"""A template's life: drafts may change, an approved version never does; and which language a customer gets."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_shared.errors import Conflict, FieldError, Invalid
from crm_shared.money import Money

MAX_LIST_ITEMS = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?\Z")
RESERVED = frozenset({"customer", "links", "coupon", "loop"})


class VersionStatus(StrEnum):
    """A version is written, then approved for good, then perhaps retired."""

    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class VariableType(StrEnum):
    """What a variable may hold."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    MONEY = "money"
    URL = "url"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared variable; a list's items are objects whose `fields` are typed too."""

    name: str
    type: VariableType
    required: bool = True
    fields: tuple["Variable", ...] = ()


@dataclass(frozen=True, slots=True)
class EmailText:
    """An e-mail in one language."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class SmsText:
    """A text message in one language."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a version says: per channel, per language (BCP 47)."""

    email: Mapping[str, EmailText]
    sms: Mapping[str, SmsText]

    def channels(self) -> list[str]:
        """The channels this version speaks."""
        return [name for name, variants in (("email", self.email), ("sms", self.sms)) if variants]

    def languages(self, channel: str) -> Iterable[str]:
        """The languages a channel is written in."""
        return self.email if channel == "email" else self.sms


@dataclass(frozen=True, slots=True)
class Template:
    """What versions have in common."""

    id: UUID
    name: str
    purpose: str
    approved_number: int | None
    latest_number: int
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One wording. `languages` are those it must exist in; the first is the last resort of the locale chain."""

    template_id: UUID
    number: int
    status: VersionStatus
    languages: tuple[str, ...]
    variables: tuple[Variable, ...]
    content: Content
    content_hash: str
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    version: int


def content_hash(languages: Sequence[str], variables: Sequence[Variable], content: Content) -> str:
    """The SHA-256 of everything that decides what a customer reads."""
    document = {
        "languages": list(languages),
        "variables": [_variable_document(variable) for variable in variables],
        "email": {language: [e.subject, e.text, e.html] for language, e in sorted(content.email.items())},
        "sms": {language: s.text for language, s in sorted(content.sms.items())},
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _variable_document(variable: Variable) -> list[Any]:
    return [variable.name, variable.type.value, variable.required, [_variable_document(f) for f in variable.fields]]


def require_draft(version: TemplateVersion) -> None:
    """Refuse to touch an approved wording.

    Raises:
        Conflict: it has been approved; a change needs a new version.
    """
    if version.status is not VersionStatus.DRAFT:
        raise Conflict(
            f"Version {version.number} has been approved and never changes; add a new version.",
            code="template_version_immutable",
        )


def check_shape(languages: Sequence[str], variables: Sequence[Variable], content: Content) -> list[FieldError]:
    """What is wrong with a draft's languages and variables."""
    errors: list[FieldError] = []
    if not content.channels():
        errors.append(FieldError("/content", "content_missing", "A version says something on at least one channel."))
    if not languages or len(set(languages)) != len(languages):
        errors.append(FieldError("/languages", "languages_invalid", "Name each language once, the default one first."))
    written = {language for channel in content.channels() for language in content.languages(channel)}
    for language in (*languages, *sorted(written - set(languages))):
        if not _LANGUAGE.match(language):
            errors.append(
                FieldError("/languages", "language_malformed", f"{language!r} is no tag such as en or pt-BR.")
            )
        elif language not in languages:
            errors.append(FieldError("/languages", "language_undeclared", f"{language} is written but not declared."))
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        errors.extend(_check_variable(variable, f"/variables/{index}", nested=False))
        if variable.name in seen:
            errors.append(FieldError(f"/variables/{index}", "variable_repeated", f"{variable.name} is declared twice."))
        seen.add(variable.name)
    return errors


def _check_variable(variable: Variable, pointer: str, *, nested: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not _NAME.match(variable.name) or variable.name in RESERVED:
        message = f"{variable.name!r} is reserved or not made of small letters, digits and underscores."
        errors.append(FieldError(f"{pointer}/name", "variable_name_invalid", message))
    is_list = variable.type is VariableType.LIST
    if is_list and nested:
        errors.append(FieldError(f"{pointer}/type", "list_in_list", "A list's items can't hold lists."))
    if is_list != bool(variable.fields):
        errors.append(FieldError(f"{pointer}/fields", "fields_misplaced", "A list, and only a list, has fields."))
    for index, inner in enumerate(variable.fields):
        errors.extend(_check_variable(inner, f"{pointer}/fields/{index}", nested=True))
    return errors


def missing_translations(version: TemplateVersion) -> list[FieldError]:
    """Every channel variant that isn't written in every declared language."""
    return [
        FieldError(
            f"/content/{channel}/{language}", "translation_missing", f"The {channel} text in {language} is missing."
        )
        for channel in version.content.channels()
        for language in version.languages
        if language not in version.content.languages(channel)
    ]


def choose_language(available: Iterable[str], wanted: str | None, default: str) -> str:
    """The locale chain: the customer's tag, its language alone, another region of that language, the default."""
    known = set(available)
    if wanted:
        if wanted in known:
            return wanted
        core = wanted.split("-", 1)[0]
        if core in known:
            return core
        regional = sorted(tag for tag in known if tag.split("-", 1)[0] == core)
        if regional:
            return regional[0]
    return default


def typed_values(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` as values of the declared types.

    Raises:
        Invalid: a required variable is missing, one has the wrong type, or one isn't declared; each is named.
    """
    errors: list[FieldError] = []
    values = _typed(variables, given, "/variables", errors)
    if errors:
        names = ", ".join(sorted({error.pointer.split("/")[2] for error in errors}))
        raise Invalid(f"The template's variables don't fit: {names}.", code="variables_invalid", errors=errors)
    return values


def _typed(
    variables: Sequence[Variable], given: Mapping[str, Any], at: str, errors: list[FieldError]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    declared = {variable.name for variable in variables}
    errors.extend(
        FieldError(f"{at}/{name}", "variable_unknown", f"The template declares no variable {name}.")
        for name in sorted(given.keys() - declared)
    )
    for variable in variables:
        pointer = f"{at}/{variable.name}"
        value = given.get(variable.name)
        if value is None:
            if variable.required:
                errors.append(
                    FieldError(pointer, "variable_missing", f"The template needs the variable {variable.name}.")
                )
            values[variable.name] = None
            continue
        try:
            values[variable.name] = _typed_list(variable, value, pointer, errors) or _READERS[variable.type](value)
        except (ValueError, TypeError, KeyError, InvalidOperation, Invalid):
            message = f"{variable.name} must be a value of type {variable.type.value}."
            errors.append(FieldError(pointer, "variable_type", message))
    return values


def _typed_list(variable: Variable, value: Any, pointer: str, errors: list[FieldError]) -> list[dict[str, Any]] | None:
    if variable.type is not VariableType.LIST:
        return None
    if not isinstance(value, list) or len(value) > MAX_LIST_ITEMS:  # pyright: ignore[reportUnknownArgumentType]
        raise ValueError
    items: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
    return [_typed(variable.fields, dict(item), f"{pointer}/{index}", errors) for index, item in enumerate(items)]


def _string(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 10_000:
        raise ValueError
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise TypeError
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(_string(value))


def _money(value: Any) -> Money:
    return value if isinstance(value, Money) else Money.of(_string(value["amount"]), _string(value["currency"]))


def _url(value: Any) -> str:
    text = _string(value)
    # A script or data URL in a link would run in the reader's name.
    if not text.startswith(("https://", "http://")) or any(c.isspace() or c in "\"'<>\\" for c in text):
        raise ValueError
    return text


def _list(value: Any) -> list[Any]:
    return list(value)


_READERS = {
    VariableType.STRING: _string,
    VariableType.INTEGER: _integer,
    VariableType.NUMBER: _number,
    VariableType.BOOLEAN: _boolean,
    VariableType.DATE: _date,
    VariableType.MONEY: _money,
    VariableType.URL: _url,
    VariableType.LIST: _list,
}
