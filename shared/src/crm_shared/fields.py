"""Pydantic field types and model kinds shared by HTTP models and event payloads."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, core_schema

from crm_shared.errors import Invalid
from crm_shared.ids import ID_TAIL, parse_id, public_id
from crm_shared.money import Money

_CLOCK_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
_FORMS = {
    "instant": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*", re.DOTALL), "2026-01-31T12:00:00Z"),
    "day": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "2026-01-31"),
    "time": (re.compile(_CLOCK_TIME), "08:30"),
}


def _written_out(kind: str) -> BeforeValidator:
    """Refuse numbers: pydantic would read 0 as the first second of 1970."""
    form, example = _FORMS[kind]

    def check(value: Any) -> Any:
        if isinstance(value, date | time) or (isinstance(value, str) and form.fullmatch(value)):
            return value
        raise PydanticCustomError("not_written_out", "write it out, such as {example}", {"example": example})

    return BeforeValidator(check)


def _within_reason(value: datetime) -> datetime:
    """Leave room for arithmetic: a day added to the last of all days would be an error of ours."""
    if not 1000 <= value.year <= 9000:
        raise PydanticCustomError("instant_out_of_range", "use a time between the years 1000 and 9000")
    return value


Instant = Annotated[AwareDatetime, _written_out("instant"), AfterValidator(_within_reason)]
Day = Annotated[date, _written_out("day")]
TimeOfDay = Annotated[
    time, _written_out("time"), WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK_TIME}$", "examples": ["08:30"]})
]
"""A time on somebody's own clock: it has no offset, and JSON Schema's `time` must have one."""


class PublicId:
    """Marks a UUID that travels as prefixed text: `Annotated[UUID, PublicId("cus")]`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def _read(self, value: Any) -> UUID:
        if isinstance(value, UUID):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError(
                "id_malformed", "an id is text that starts with {prefix}_", {"prefix": self.prefix}
            )
        try:
            return parse_id(self.prefix, value)
        except Invalid as error:
            raise PydanticCustomError("id_malformed", "{detail}", {"detail": error.detail}) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                partial(public_id, self.prefix), when_used="json", return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": f"^{self.prefix}_{ID_TAIL}$",
            "examples": [public_id(self.prefix, UUID("01890a5d-ac96-774b-bcce-b302099a8057"))],
        }


class _MoneyField:
    """Money as `{"amount": "12.30", "currency": "EUR"}`; the amount is text, so no client rounds it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read_money,
            serialization=core_schema.plain_serializer_function_ser_schema(_write_money, when_used="json"),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "type": "object",
            "title": "Money",
            "additionalProperties": False,
            "required": ["amount", "currency"],
            "properties": {
                "amount": {
                    "type": "string",
                    "format": "decimal",
                    "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$",
                    "examples": ["12.30"],
                },
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]},
            },
        }


def _read_money(value: Any) -> Money:
    if isinstance(value, Money):
        return value
    fields: Mapping[str, Any] | None = value if isinstance(value, Mapping) else None  # pyright: ignore[reportUnknownVariableType]
    if fields is None or set(fields) != {"amount", "currency"}:
        raise PydanticCustomError("money_malformed", "money is an object with the two fields amount and currency")
    amount, currency = fields["amount"], fields["currency"]
    if not isinstance(amount, str) or not isinstance(currency, str):
        raise PydanticCustomError("money_malformed", 'amount and currency are text, such as "12.30" and "EUR"')
    if not _is_plain_decimal(amount):
        raise PydanticCustomError("amount_malformed", 'an amount is digits with at most six decimals, such as "12.30"')
    try:
        return Money.of(amount, currency)
    except Invalid as error:
        raise PydanticCustomError("money_malformed", "{detail}", {"detail": error.detail}) from None


def _is_plain_decimal(text: str) -> bool:
    whole, dot, decimals = text.removeprefix("-").partition(".")
    digits = whole.isascii() and whole.isdigit() and len(whole) <= 15
    return digits and (not dot or (decimals.isascii() and decimals.isdigit() and len(decimals) <= 6))


def _write_money(value: Money) -> dict[str, str]:
    return {"amount": format(value.amount, "f"), "currency": value.currency}


MoneyField = Annotated[Money, _MoneyField()]


class DecimalText:
    """Marks a decimal that travels as text; its pattern is what is checked and what is documented, so they agree.

    The format, of OpenAPI's registry, tells generated clients to read it as a decimal.
    """

    def __init__(self, pattern: str = r"-?[0-9]{1,15}(\.[0-9]{1,6})?", example: str = "12.5") -> None:
        self.pattern = pattern
        self.example = example
        self._form = re.compile(pattern)

    def _read(self, value: Any) -> Decimal:
        if isinstance(value, Decimal):
            return value
        if isinstance(value, str) and self._form.fullmatch(value):
            return Decimal(value)
        raise PydanticCustomError(
            "decimal_malformed", 'expected a decimal as text, such as "{example}"', {"example": self.example}
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: format(value, "f"), when_used="json", return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "decimal", "pattern": f"^{self.pattern}$", "examples": [self.example]}


DecimalField = Annotated[Decimal, DecimalText()]


def extensible(values: type[StrEnum]) -> WithJsonSchema:
    """A response's enumeration that may grow: plain text to generated clients, with today's values listed."""
    return WithJsonSchema({"type": "string", "x-extensible-enum": [value.value for value in values]})


def _exact(node: Any) -> None:
    """Mark every number and truth value below `node` as strict: no `"5"` for 5, no `false` for 0."""
    if isinstance(node, list | tuple):
        for child in cast("Sequence[Any]", node):
            _exact(child)
    elif isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        is_schema = isinstance(schema.get("type"), str)  # otherwise the fields of a model, by name
        if is_schema and schema["type"] in {"int", "float", "bool"}:
            _tighten(schema)
            return
        for key, child in schema.items():
            if not is_schema or key not in {"default", "metadata", "serialization"}:
                _exact(child)


def _tighten(schema: dict[str, Any]) -> None:
    exact = {**schema, "strict": True}
    if schema["type"] == "int":
        exact = core_schema.no_info_before_validator_function(_whole, cast("CoreSchema", exact))
    schema.clear()
    schema.update(exact)


def _whole(value: Any) -> Any:
    """To JSON, 30.0 is a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Strict(BaseModel):
    """What a client sends: unknown fields are refused, and nothing is taken for something else."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Tighten the finished schema: pydantic's own strict mode would refuse dates and enumerations as text, too."""
        _exact(cls.__pydantic_core_schema__)
        cls.__pydantic_complete__ = False  # else the validator made before would be taken again
        cls.__pydantic_validator__ = SchemaValidator(cls.__pydantic_core_schema__)
        cls.__pydantic_complete__ = True


class Read(BaseModel):
    """What a client gets: every field always present."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Fact(BaseModel):
    """The fields that we read of somebody else's event; all others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
