"""Keyset pages: `limit` and an opaque `cursor` in, `items` and `next_cursor` out.

A cursor holds the sort key of the last item seen. It is signed and bound to tenant, route, sort and filters, so that
one made for another list is refused rather than misread; it never authorises anything.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from crm_shared.errors import Invalid
from crm_shared.fields import Read

_MAC_BYTES = 12
MAX_LIMIT = 200


class PageQuery(BaseModel):
    """The query parameters of a list; filters are added by subclasses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=50, ge=1, le=MAX_LIMIT, description="How many items at most.")
    cursor: str | None = Field(default=None, max_length=1_000, description="`next_cursor` of the page before.")


class Page(Read):
    """One page of a list; subclasses say of what: `items: list[TicketRead]`."""

    items: list[Any]
    next_cursor: str | None = Field(
        examples=["bGlnaHRob3VzZVtbInYiLDQyXV0"], description="`cursor` of the page after this one; null at the end."
    )


class Cursors:
    """Makes and reads the cursors of one list of one tenant."""

    def __init__(self, secret: str, *binding: str) -> None:
        text = "\x1f".join(binding).encode()
        self._key = hmac.new(secret.encode(), text, hashlib.sha256).digest()

    def write(self, key: tuple[Any, ...]) -> str:
        """The cursor after an item with this sort key."""
        raw = orjson.dumps([_tagged(value) for value in key])
        return urlsafe_b64encode(self._mac(raw) + raw).decode().rstrip("=")

    def read(self, cursor: str) -> tuple[Any, ...]:
        """The sort key in a cursor.

        Raises:
            Invalid: it isn't a cursor of this list with these filters.
        """
        try:
            data = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            mac, raw = data[:_MAC_BYTES], data[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(raw)):
                raise ValueError("made elsewhere")  # one way out for all that is wrong with it
            return tuple(_untagged(value) for value in orjson.loads(raw))
        except (ValueError, Base64Error) as error:
            raise Invalid.field(
                "query:cursor",
                "This cursor belongs to another list or other filters; start again without it.",
                code="cursor_invalid",
            ) from error

    def _mac(self, raw: bytes) -> bytes:
        return hmac.new(self._key, raw, hashlib.sha256).digest()[:_MAC_BYTES]


def _tagged(value: Any) -> list[Any]:
    match value:
        case datetime():
            return ["t", value.isoformat()]
        case UUID():
            return ["u", value.hex]
        case Decimal():
            return ["d", str(value)]
        case str() | int() | None:
            return ["v", value]
        case _:
            raise TypeError(f"no cursor can hold a {type(value).__name__}")


def _untagged(pair: list[Any]) -> Any:
    tag, value = pair
    match tag:
        case "t":
            return datetime.fromisoformat(value)
        case "u":
            return UUID(value)
        case "d":
            return Decimal(value)
        case _:
            return value
