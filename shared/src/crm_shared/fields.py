"""Pydantic field types and model kinds shared by HTTP models and event payloads."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from crm_shared.errors import Invalid
from crm_shared.ids import parse_id, public_id
from crm_shared.money import Money


def _within_reason(value: datetime) -> datetime:
    """Leave room for arithmetic: a day added to the last of all days would be an error of ours."""
    if not 1000 <= value.year <= 9000:
        raise PydanticCustomError("instant_out_of_range", "use a time between the years 1000 and 9000")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_within_reason)]


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
            "pattern": f"^{self.prefix}_[0-9a-v]{{26}}$",
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
                "amount": {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$", "examples": ["12.30"]},
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


def _read_decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _is_plain_decimal(value):
        return Decimal(value)
    raise PydanticCustomError("decimal_malformed", 'expected digits with at most six decimals as text, such as "12.5"')


class _DecimalField:
    """A decimal that travels as text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read_decimal,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: format(value, "f"), when_used="json", return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$", "examples": ["12.5"]}


DecimalField = Annotated[Decimal, _DecimalField()]


def extensible(values: type[StrEnum]) -> WithJsonSchema:
    """A response's enumeration that may grow: plain text to generated clients, with today's values listed."""
    return WithJsonSchema({"type": "string", "x-extensible-enum": [value.value for value in values]})


class Strict(BaseModel):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Read(BaseModel):
    """What a client gets: every field always present."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Fact(BaseModel):
    """The fields that we read of somebody else's event; all others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
