"""Identifiers: UUIDv7 inside, prefixed text outside.

The text form is `<prefix>_<26 characters>`: base32hex (RFC 4648 §7) in lower case without padding, which keeps the
order of the bytes, so that text ids sort by time as the UUIDs do (RFC 9562 §5.7).
"""

from uuid import UUID

from uuid_utils.compat import uuid7

from crm_shared.errors import Invalid

_TEXT_LENGTH = 26
ID_TAIL = "[0-9a-v]{25}[048cgkos]"
"""The form of a text id's second part: 130 bits for 128, so that the last two are zero."""
_LETTERS = "0123456789abcdefghijklmnopqrstuv"
_ALPHABET = frozenset(_LETTERS)
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_SHIFTS = range(120, -1, -10)  # 128 bits and two of padding are 13 pairs of letters


def new_id() -> UUID:
    """A fresh identifier that sorts after those made earlier in this process."""
    return uuid7()


def public_id(prefix: str, value: UUID) -> str:
    """The text form of `value` that clients see."""
    bits = value.int << 2
    return f"{prefix}_{''.join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])}"


def parse_id(prefix: str, text: str) -> UUID:
    """The identifier behind `text`.

    Raises:
        Invalid: the text is not an id of this kind; nothing is guessed or repaired.
    """
    head, _, tail = text.rpartition("_")
    if head != prefix or len(tail) != _TEXT_LENGTH or not _ALPHABET.issuperset(tail):
        raise Invalid(f"Expected an id that looks like {prefix}_ and {_TEXT_LENGTH} characters.", code="id_malformed")
    bits = int(tail, 32)
    if bits & 3:  # the last character holds two bits that must be zero
        raise Invalid(f"Expected an id that looks like {prefix}_ and {_TEXT_LENGTH} characters.", code="id_malformed")
    return UUID(int=bits >> 2)
