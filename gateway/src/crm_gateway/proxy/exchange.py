"""One request and its answer, as the gateway sees them: the ASGI ends, the ids, and what the access log will say."""

import time
from dataclasses import dataclass, field
from random import getrandbits
from typing import Any

from crm_gateway.proxy.asgi_upstream import Receive, Send
from crm_gateway.proxy.domain.headers import Headers
from crm_gateway.proxy.refusals import CONTENT_TYPE, Refusal
from crm_shared.tenancy import Viewer

BODYLESS = frozenset({204, 304})

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
"""Sent with every answer unless the upstream says something else under that name."""
_SECURITY_NAMES = frozenset(name for name, _ in SECURITY_HEADERS)


def new_request_id() -> str:
    """An id to find things by. It is no secret, so it needs no system call."""
    return f"req_{getrandbits(96):024x}"


@dataclass(slots=True)
class Exchange:
    """One request under way. Fields after `send` are filled in on its way through the gateway."""

    scope: Any
    receive: Receive
    send: Send
    method: str = ""
    path: str = ""
    started: float = field(default_factory=time.perf_counter)
    request_id: str = ""
    trace: bytes = b""
    template: str = "-"
    tenant: str | None = None
    subject: str | None = None
    authorization: bytes | None = None
    viewer: Viewer | None = None
    upstream: str | None = None
    upstream_s: float = 0.0
    attempts: int = 0
    status: int = 0
    bytes_out: int = 0
    complete: bool = False
    code: str | None = None
    added: Headers = field(default_factory=list[tuple[bytes, bytes]])

    def __post_init__(self) -> None:
        self.method = self.scope["method"]
        self.path = self.scope["path"]

    def identify(self, client_says: bytes | None) -> None:
        """Takes over the client's request id if it sent a proper one, else makes one."""
        self.request_id = client_says.decode("ascii") if client_says else new_request_id()

    @property
    def bodyless(self) -> bool:
        """Whether this answer has no body, whatever the upstream sends (RFC 9110 §6.4.1)."""
        return self.method == "HEAD" or self.status in BODYLESS

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head; security headers are added where `headers` lacks them."""
        self.status = status
        names = {name for name, _ in headers}
        unsaid = SECURITY_HEADERS
        if not names.isdisjoint(_SECURITY_NAMES):
            unsaid = [header for header in SECURITY_HEADERS if header[0] not in names]
        sent = [*headers, *unsaid, *self.added, (b"x-request-id", self.request_id.encode("ascii"))]
        if status == 204:
            sent = [header for header in sent if header[0] != b"content-length"]
        await self.send({"type": "http.response.start", "status": status, "headers": sent})

    async def write(self, chunk: bytes) -> None:
        """Sends a piece of the body; waits while the client reads slowly."""
        self.bytes_out += len(chunk)
        await self.send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        """Sends the last piece."""
        self.bytes_out += len(chunk)
        self.complete = True
        await self.send({"type": "http.response.body", "body": chunk, "more_body": False})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole answer."""
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self.finish(b"" if self.bodyless else body)

    async def refuse(self, refusal: Refusal) -> None:
        """Sends a refusal of the gateway's own."""
        self.code = refusal.code
        body = refusal.body(self.request_id)
        await self.answer(refusal.status, [(b"content-type", CONTENT_TYPE), *refusal.headers], body)
