"""The trace that the present work belongs to (W3C Trace Context), carried by requests and events alike.

It lives among the log context, so that every log line of the work names its trace.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import structlog

_PATTERN = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_NAME = "traceparent"


def current_traceparent() -> str | None:
    """The traceparent of the request or event being handled, if any."""
    context: Mapping[str, Any] = structlog.contextvars.get_contextvars()
    return context.get(_NAME)


def following(traceparent: str | None, **context: str) -> AbstractContextManager[Any]:
    """Make the work inside the block part of the caller's trace; anything malformed is ignored.

    `context` is bound to the work's log lines besides.
    """
    known = traceparent if traceparent and _PATTERN.match(traceparent) else None
    return structlog.contextvars.bound_contextvars(traceparent=known, **context)
