"""The trace that the present work belongs to (W3C Trace Context), carried by requests and events alike."""

import re
import secrets
from contextvars import ContextVar

_PATTERN = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    """The traceparent of the request or event being handled, if any."""
    return _current.get()


def follow(traceparent: str | None) -> None:
    """Make the present work part of the caller's trace; anything malformed is ignored."""
    _current.set(traceparent if traceparent and _PATTERN.match(traceparent) else None)


def new_traceparent() -> str:
    """A trace of our own, sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
