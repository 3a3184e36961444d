"""API keys: `crm_live_<id>_<secret><checksum>`.

The id (26 characters, base32hex of a UUID) says which key; the secret (32 letters and digits, 190 bits) proves it; the
checksum (6 characters, CRC-32) lets typing errors and secret scanners be told apart without a look-up. Only the
SHA-256 of the secret is kept: a random secret of this length needs no slow hash.
"""

import hmac
import re
import secrets
import zlib
from base64 import b32hexdecode, b32hexencode
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

PREFIX = "crm_live_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 32
_FORM = re.compile(rf"{PREFIX}([0-9a-v]{{26}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{6}})")


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A well-formed key as a client shows it."""

    id: UUID
    secret: str


def new_secret() -> str:
    """A fresh secret of 190 random bits."""
    return "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_LENGTH))


def format_key(key_id: UUID, secret: str) -> str:
    """The key's text, shown once."""
    body = f"{PREFIX}{key_handle(key_id)}_{secret}"
    return body + _checksum(body)


def key_handle(key_id: UUID) -> str:
    """The id part of a key's text."""
    return b32hexencode(key_id.bytes).decode("ascii").rstrip("=").lower()


def parse_key(text: str) -> PresentedKey | None:
    """The key in `text`; None if it is none of ours or mistyped."""
    form = _FORM.fullmatch(text)
    if form is None or _checksum(text[:-6]) != form[3]:
        return None
    key_id = UUID(bytes=b32hexdecode(form[1].upper() + "======"))
    return PresentedKey(key_id, form[2]) if key_handle(key_id) == form[1] else None


def hash_secret(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode("ascii")).digest()


def secret_matches(secret: str, kept: bytes) -> bool:
    """Whether `secret` is the one behind `kept`, in constant time."""
    return hmac.compare_digest(hash_secret(secret), kept)


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
