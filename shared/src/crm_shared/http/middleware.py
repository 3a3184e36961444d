"""What every request passes through: its id, its trace, its log context, its metrics. Plain ASGI."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from crm_shared.observability.tracing import following

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{8,64}$")
REQUESTS = Counter("crm_http_requests_total", "Requests by route and status.", ["service", "method", "route", "status"])
SECONDS = Histogram("crm_http_request_seconds", "Time to answer, by route.", ["service", "method", "route"])


class Conversation:
    """Gives each request an id (the caller's, if well formed), and counts and times it by route template."""

    def __init__(self, app: App, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        sent = headers.get(b"x-request-id", b"")
        request_id = sent.decode() if _REQUEST_ID.match(sent) else f"req_{secrets.token_hex(10)}"
        scope.setdefault("state", {})["request_id"] = request_id
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        status = 500
        began = time.perf_counter()

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            with following(traceparent), structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._app(scope, receive, answer)
        finally:
            route: str = getattr(scope.get("route"), "path", "unmatched")
            REQUESTS.labels(self._service, scope["method"], route, str(status)).inc()
            SECONDS.labels(self._service, scope["method"], route).observe(time.perf_counter() - began)
