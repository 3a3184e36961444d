"""Secrets that have to be kept so that we can sign with them: encrypted, by keys that are not in the database."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from crm_shared.errors import Unavailable
from crm_shared.settings import PLACEHOLDERS

_LEAST_LENGTH = 16


class Sealer:
    """Seals with the first key and opens with any, so that keys can be replaced one after another."""

    def __init__(self, keys: Sequence[str]) -> None:
        if any(len(key) < _LEAST_LENGTH or key in PLACEHOLDERS for key in keys):
            raise ValueError(f"each of WEBHOOK_KEYS is a text of your own of {_LEAST_LENGTH} characters or more")
        # Whatever text a key is, Fernet takes 32 bytes. It is no password, so nothing needs stretching.
        made = [Fernet(urlsafe_b64encode(sha256(b"webhook secrets:" + key.encode()).digest())) for key in keys]
        self._fernet = MultiFernet(made) if made else None

    @classmethod
    def of(cls, keys: str) -> "Sealer":
        """From a setting: comma-separated."""
        return cls([key.strip() for key in keys.split(",") if key.strip()])

    @property
    def is_ready(self) -> bool:
        """Whether there is a key."""
        return self._fernet is not None

    def seal(self, secret: str) -> bytes:
        """What may be stored."""
        return self._ready.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """The secret again.

        Raises:
            Unavailable: none of today's keys has sealed it.
        """
        try:
            return self._ready.decrypt(sealed).decode()
        except InvalidToken:
            detail = "This secret was sealed with a key that WEBHOOK_KEYS no longer holds; rotate it."
            raise Unavailable(detail, code="webhook_secret_sealed") from None

    @property
    def _ready(self) -> MultiFernet:
        if self._fernet is None:
            raise Unavailable("Webhooks are not set up here: WEBHOOK_KEYS is missing.", code="webhooks_not_set_up")
        return self._fernet
