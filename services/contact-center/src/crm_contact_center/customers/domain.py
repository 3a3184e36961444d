"""What the contact center knows of a customer: enough to recognise a caller and to greet them by name."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

_PHONE_CHANNELS = frozenset({"voice", "sms", "callback", "phone", "fax"})
_SHORTEST_NUMBER = 6


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """An address of a customer, as given and folded for comparing."""

    channel: str
    value: str
    folded: str


@dataclass(frozen=True, slots=True)
class Customer:
    """The local copy; None where the customer's own event hasn't come yet."""

    id: UUID
    display_name: str | None
    language: str | None
    value_group: str | None
    lifecycle: str | None
    open_deals: int
    orders: int
    last_order_at: datetime | None
    erased: bool


def fold(channel: str, value: str) -> str:
    """An address in the form in which two writings of it are equal; empty if it is none."""
    text = value.strip()
    if channel in _PHONE_CHANNELS:
        return fold_phone(text)
    return text.casefold() if "@" in text else ""


def fold_phone(text: str) -> str:
    """A telephone number as digits with its country: `+385 1 234-567` and `003851234567` are one; "" if too short."""
    digits = "".join(sign for sign in text if sign.isdigit() and sign.isascii())
    if text.lstrip("( ").startswith("00"):
        digits = digits[2:]
    return digits if len(digits) >= _SHORTEST_NUMBER else ""
