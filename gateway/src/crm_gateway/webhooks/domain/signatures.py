"""Signatures after Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body."""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as its owner is shown it."""
    return PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(holding: Iterable[str], webhook_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """The three headers of one attempt, signed with every secret that holds now."""
    stamp = str(int(now.timestamp()))
    signed = b".".join((webhook_id.encode(), stamp.encode(), body))
    made = [_signature(secret, signed) for secret in holding]
    return {"webhook-id": webhook_id, "webhook-timestamp": stamp, "webhook-signature": " ".join(made)}


def _signature(secret: str, signed: bytes) -> str:
    key = b64decode(secret.removeprefix(PREFIX))
    return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
