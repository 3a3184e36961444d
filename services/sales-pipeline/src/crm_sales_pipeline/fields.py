"""Kinds of input that several slices take."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from crm_shared.fields import DecimalText, Instant

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 ()./-]{2,38}$")]
Percent = Annotated[Decimal, DecimalText(r"(100(\.0{1,6})?|[0-9]{1,2}(\.[0-9]{1,6})?)", "12.5")]
Rate = Annotated[Decimal, DecimalText(r"0(\.[0-9]{1,6})?", "0.19")]
Amount = Annotated[Decimal, DecimalText(r"[0-9]{1,15}(\.[0-9]{1,6})?", "12.50")]
_NOT_NOTHING = "|".join(f"{'0' * zeros}[1-9][0-9]{{0,{5 - zeros}}}" for zeros in range(6))
Quantity = Annotated[Decimal, DecimalText(rf"([1-9][0-9]{{0,8}}(\.[0-9]{{1,6}})?|10{{9}}|0\.({_NOT_NOTHING}))", "1")]

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _looks_like_an_address(text: str) -> str:
    local, at, host = text.rpartition("@")
    if not at or not local or "." not in host or any(character.isspace() for character in text):
        raise PydanticCustomError("email_malformed", "an e-mail address looks like name@example.org")
    return text


def _within_reason(at: datetime) -> datetime:
    if not _EARLIEST <= at <= _LATEST:
        raise PydanticCustomError("time_out_of_range", "a time lies between 1970 and 2200")
    return at


Email = Annotated[
    str,
    StringConstraints(min_length=3, max_length=254),
    AfterValidator(_looks_like_an_address),
    Field(json_schema_extra={"pattern": r"^[^\s]+@[^\s@]*\.[^\s@]*$", "examples": ["name@example.org"]}),
]
Moment = Annotated[Instant, AfterValidator(_within_reason)]
