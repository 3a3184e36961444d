"""What a caller shows: API keys `crm_live_<id>_<secret><checksum>` and session tokens `crm_sess_…` of the same form.

The id (26 characters, base32hex of a UUID) says which one; the secret (32 letters and digits, 190 bits) proves it; the
checksum (6 characters, CRC-32) tells typing errors and forgeries from real ones without a look-up, and lets secret
scanners recognise a leaked one. Only the SHA-256 of the secret is kept: a random secret of this length needs no slow
hash. Session tokens are opaque as well, so that logging out and leaving the company take effect at once.
"""

import hmac
import re
import secrets
import zlib
from base64 import b32hexdecode, b32hexencode
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 32
_FORM = re.compile(rf"(crm_live|crm_sess)_([0-9a-v]{{26}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})[0-9A-Za-z]{{6}}")

SESSION_LIFETIME = timedelta(hours=12)
LONGEST_OVERLAP = timedelta(days=7)
LEAST_PASSWORD_LENGTH = 12
"""NIST SP 800-63B-4 asks for length, not for kinds of characters; 15 alone, 8 with a second factor, we take 12."""
MOST_PASSWORD_LENGTH = 256


class CredentialKind(StrEnum):
    """What a caller showed."""

    API_KEY = "crm_live"
    SESSION = "crm_sess"


@dataclass(frozen=True, slots=True)
class Credential:
    """A well-formed credential."""

    kind: CredentialKind
    id: UUID
    secret: str

    @property
    def handle(self) -> str:
        """The id part of its text."""
        return handle_of(self.id)

    @property
    def text(self) -> str:
        """What a client sends; shown once."""
        body = f"{self.kind}_{self.handle}_{self.secret}"
        return body + _checksum(body)

    @property
    def kept(self) -> bytes:
        """What is stored of the secret."""
        return sha256(self.secret.encode("ascii")).digest()

    def matches(self, kept: bytes) -> bool:
        """Whether this is the one behind `kept`, compared in constant time."""
        return hmac.compare_digest(self.kept, kept)


def new_credential(kind: CredentialKind, credential_id: UUID) -> Credential:
    """A credential with a fresh secret."""
    return Credential(kind, credential_id, "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_LENGTH)))


def parse_credential(text: str) -> Credential | None:
    """The credential in `text`; None if it is none of ours or mistyped."""
    form = _FORM.fullmatch(text)
    if form is None or _checksum(text[:-6]) != text[-6:]:
        return None
    credential_id = UUID(bytes=b32hexdecode(form[2].upper() + "======"))
    return Credential(CredentialKind(form[1]), credential_id, form[3]) if handle_of(credential_id) == form[2] else None


def handle_of(credential_id: UUID) -> str:
    """How a credential's id is written in its text and in the directory."""
    return b32hexencode(credential_id.bytes).decode("ascii").rstrip("=").lower()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
