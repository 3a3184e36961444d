"""What every request passes through: its id, its trace, its log context, its metrics. Plain ASGI."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from crm_shared.observability.health import DRAINING
from crm_shared.observability.tracing import Begun, Kind, Span, Trace, are_traced, began, following
from crm_shared.observability.vitals import VITALS

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LAST = (b"connection", b"close")
"""Said by a process that is about to end, so that nobody sends it one more request by this connection."""
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""What a machine asks every few seconds is no part of anybody's trace."""
_REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{8,64}$")
REQUESTS = Counter("crm_http_requests_total", "Requests by route and status.", ["service", "method", "route", "status"])
SECONDS = Histogram(
    "crm_http_request_seconds",
    "Time to answer, by route.",
    ["service", "method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
IN_FLIGHT = Gauge("crm_http_in_flight", "Requests under way.", ["service"], multiprocess_mode="livesum")


class Conversation:
    """Gives each request an id (the caller's, if well formed), and counts and times it by route template."""

    def __init__(self, app: App, service: str) -> None:
        self._app = app
        self._service = service
        self._in_flight = 0
        VITALS.watch(self)

    def show(self) -> None:
        """Set the gauge of requests under way."""
        IN_FLIGHT.labels(self._service).set(self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        sent = headers.get(b"x-request-id", b"")
        request_id = sent.decode() if _REQUEST_ID.match(sent) else f"req_{secrets.token_hex(10)}"
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500
        began_s = time.perf_counter()
        self._in_flight += 1

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                if DRAINING.begun:
                    message["headers"].append(_LAST)
            await send(message)

        with self._work(scope, headers, request_id) as span:
            try:
                await self._app(scope, receive, answer)
            except asyncio.CancelledError:
                status = 499  # the client has gone
                raise
            finally:
                self._in_flight -= 1
                method: str = scope["method"]
                route: str = getattr(scope.get("route"), "path", "unmatched")
                counter, timer = _meters(self._service, method, route, status)
                counter.inc()
                timer.observe(time.perf_counter() - began_s)
                if are_traced():
                    told = {"http.route": route, "http.response.status_code": status}
                    span.tell(told, name=f"{method} {route}", failed=status >= 500)

    def _work(self, scope: Scope, headers: dict[bytes, bytes], request_id: str) -> Span:
        parent = headers.get(b"traceparent")
        trace = None
        if parent is not None:
            trace = Trace.read(parent.decode("latin-1"), headers.get(b"tracestate", b"").decode("latin-1"))
        if not are_traced() or scope["path"] in _PROBES:
            return following(trace, request_id=request_id)
        method: str = scope["method"]
        asked = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        return began(Begun(self._service, method, Kind.SERVER, trace, attributes=asked, request_id=request_id))


@lru_cache(maxsize=5_000)
def _meters(service: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The children of the two metrics; looking them up by their labels costs more than counting does."""
    return REQUESTS.labels(service, method, route, str(status)), SECONDS.labels(service, method, route)
