"""What the gateway itself answers when it doesn't let a request through: problem+json (RFC 9457), one table of codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from crm_gateway.proxy.domain.headers import Headers

CONTENT_TYPE = b"application/problem+json"


@dataclass(slots=True)
class Refusal(Exception):
    """An answer of the gateway's own, with a status from 400 up."""

    status: int
    code: str
    detail: str
    headers: Headers = field(default_factory=list[tuple[bytes, bytes]])
    errors: Sequence[dict[str, str]] = ()

    def body(self, request_id: str) -> bytes:
        """The problem document."""
        document: dict[str, Any] = {
            "type": f"/docs/problems/{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "errors": list(self.errors),
        }
        return orjson.dumps(document)


def retry_later(status: int, code: str, detail: str, retry_after_s: float) -> Refusal:
    """A refusal that says when to come back."""
    seconds = str(max(1, round(retry_after_s + 0.499))).encode()
    return Refusal(status, code, detail, [(b"retry-after", seconds)])
