"""Rules of custom attributes: each has a type, and a value must be of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from crm_shared.errors import FieldError, Invalid
from crm_shared.ids import parse_id

MAX_TEXT = 2_000
MAX_NUMBER = Decimal(10) ** 15


class AttributeType(StrEnum):
    """What kind of value an attribute holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    BOOLEAN = "boolean"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Definition:
    """One custom attribute of a tenant; `choices` is empty unless the type is choice."""

    name: str
    type: AttributeType
    label: str
    choices: tuple[str, ...]
    version: int
    created_at: datetime


def checked(values: Mapping[str, Any], definitions: Mapping[str, Definition]) -> dict[str, Any]:
    """`values` in the form that is stored; a None takes the attribute away.

    Raises:
        Invalid: an attribute isn't defined or a value isn't of its type; every fault is named at once.
    """
    result: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, value in values.items():
        definition = definitions.get(name)
        if definition is None:
            errors.append(FieldError(f"/attributes/{name}", "attribute_unknown", "Define this attribute first."))
        elif value is not None:
            try:
                result[name] = stored(definition, value)
            except ValueError as error:
                errors.append(FieldError(f"/attributes/{name}", "attribute_value_invalid", str(error)))
    if errors:
        raise Invalid("Some custom attributes are not right.", code="attributes_invalid", errors=errors)
    return result


def stored(definition: Definition, value: Any) -> Any:
    """One value in the form that is stored.

    Raises:
        ValueError: it isn't of the attribute's type; the text says what would be.
    """
    match definition.type:
        case AttributeType.TEXT:
            return _text(value)
        case AttributeType.NUMBER:
            return _number(value)
        case AttributeType.DATE:
            return _date(value)
        case AttributeType.CHOICE:
            if value not in definition.choices:
                raise ValueError(f"Expected one of {', '.join(definition.choices)}.")
            return value
        case AttributeType.BOOLEAN:
            return _boolean(value)
        case AttributeType.REFERENCE:
            return _reference(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT or "\x00" in value:
        raise ValueError(f"Expected 1 to {MAX_TEXT} characters of text.")
    return value


def _boolean(value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError("Expected true or false.")
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_NUMBER:  # NaN is no less
        raise ValueError("Expected a number below 10^15.")
    return value


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "").isoformat()
    except ValueError:
        raise ValueError("Expected a date such as 2026-03-31.") from None


def _reference(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    try:
        parse_id("cus", text)
    except Invalid as error:
        raise ValueError(error.detail) from None
    return text
