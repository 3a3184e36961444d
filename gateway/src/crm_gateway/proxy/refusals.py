"""What the gateway itself answers when it doesn't let a request through: problem+json (RFC 9457)."""

from dataclasses import dataclass, field
from math import ceil

from crm_gateway.proxy.domain.headers import Headers
from crm_shared.errors import CrmError
from crm_shared.http.problems import MEDIA_TYPE, problem_body, status_of

CONTENT_TYPE = MEDIA_TYPE.encode()


@dataclass(slots=True)
class Refusal(Exception):
    """An answer of the gateway's own, with a status from 400 up."""

    status: int
    code: str
    detail: str
    headers: Headers = field(default_factory=list[tuple[bytes, bytes]])

    def body(self, request_id: str) -> bytes:
        """The problem document."""
        return problem_body(self.status, self.code, self.detail, request_id)

    @classmethod
    def of(cls, error: CrmError) -> "Refusal":
        """The refusal that an error of the domain amounts to."""
        status = status_of(error)
        headers: Headers = [(b"www-authenticate", b"Bearer")] if status == 401 else []
        if error.retry_after_s is not None:
            headers.append((b"retry-after", str(max(1, ceil(error.retry_after_s))).encode()))
        return cls(status, error.code, error.detail, headers)


def retry_later(status: int, code: str, detail: str, retry_after_s: float) -> Refusal:
    """A refusal that says when to come back."""
    seconds = str(max(1, ceil(retry_after_s))).encode()
    return Refusal(status, code, detail, [(b"retry-after", seconds)])
