"""The gateway's spans: one around the door, one around each question to an upstream. Only where spans are made.

A trace that a client sends is continued, or, where clients aren't trusted with what is kept, only linked to.
"""

from contextlib import AbstractAsyncContextManager
from types import TracebackType

from crm_gateway.proxy.domain.headers import Headers
from crm_gateway.proxy.exchange import Exchange
from crm_gateway.proxy.upstream import UpstreamRequest, UpstreamResponse
from crm_shared.observability.tracing import Begun, Kind, Span, Trace, began, span

GATEWAY = "gateway"
PROBES = frozenset({"/livez", "/readyz"})
_CARRIERS = frozenset({b"traceparent", b"tracestate"})


def answering(exchange: Exchange, *, trusting: bool) -> Span:
    """The span of one request of a client, from its head to the answer's end."""
    carried = {name: value for name, value in exchange.scope["headers"] if name in _CARRIERS}
    parent = Trace.read(_text(carried, b"traceparent"), _text(carried, b"tracestate"))
    links = (parent,) if parent is not None and not trusting else ()
    return began(
        Begun(
            GATEWAY,
            "request",
            Kind.SERVER,
            parent if trusting else None,
            links,
            {"url.scheme": exchange.scope.get("scheme", "http")},
        )
    )


def tell(answered: Span, exchange: Exchange) -> None:
    """Say how the request ended: by its template, never by what it named."""
    known = exchange.template != "-"
    method = exchange.method if known else "_OTHER"
    attributes = {"http.request.method": method, "http.response.status_code": exchange.status}
    if known:
        attributes["http.route"] = exchange.template
    if exchange.code is not None:
        attributes["error.type"] = exchange.code
    answered.tell(attributes, name=f"{method} {exchange.template}" if known else method, failed=exchange.status >= 500)


class TracedAttempt:
    """An attempt on a lane with a span of its own, whose place the upstream is told."""

    def __init__(
        self, attempt: AbstractAsyncContextManager[UpstreamResponse], lane: str, request: UpstreamRequest
    ) -> None:
        self._attempt = attempt
        self._request = request
        asked = {"http.request.method": request.method, "peer.service": lane}
        self._span = span(GATEWAY, f"{request.method} {lane}", kind=Kind.CLIENT, attributes=asked)

    async def __aenter__(self) -> UpstreamResponse:
        asking = self._span.__enter__()
        if asking.trace is not None:
            self._request.headers = carrying(self._request.headers, asking.trace)
        try:
            response = await self._attempt.__aenter__()
        except BaseException as error:
            asking.__exit__(type(error), error, None)
            raise
        asking.tell({"http.response.status_code": response.status}, failed=response.status >= 500)
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._attempt.__aexit__(kind, error, trace)
        finally:
            self._span.__exit__(kind, error, trace)


def carrying(headers: Headers, trace: Trace) -> Headers:
    """The headers with this trace in place of any other."""
    carried = [(name, value) for name, value in headers if name not in _CARRIERS]
    carried.append((b"traceparent", trace.parent.encode()))
    if trace.state:
        carried.append((b"tracestate", trace.state.encode("latin-1", "ignore")))
    return carried


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
