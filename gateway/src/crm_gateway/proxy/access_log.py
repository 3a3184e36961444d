"""One JSON line a request: what was asked by template, never by value, and how it went."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import orjson
from prometheus_client import Counter, Histogram

from crm_gateway.proxy.exchange import Exchange
from crm_shared.clock import Clock

Writer: TypeAlias = Callable[[bytes], None]

REQUESTS = Counter("crm_gateway_requests_total", "Requests at the door.", ["method", "route", "status"])
SECONDS = Histogram("crm_gateway_request_seconds", "Time to the answer's end, by route.", ["method", "route"])


class AccessLog:
    """Writes the line and counts the request; `write` takes whole lines."""

    def __init__(self, write: Writer | None, clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._meters: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def note(self, exchange: Exchange) -> None:
        """Records one finished exchange."""
        took_s = time.perf_counter() - exchange.started
        counter, histogram = self._meter(exchange)
        counter.inc()
        histogram.observe(took_s)
        if self._write is not None:
            self._write(_line(exchange, took_s, self._clock.now()))

    def _meter(self, exchange: Exchange) -> tuple[Any, Any]:
        # Unknown methods come from outside without bound; they must not become label values.
        method = exchange.method if exchange.template != "-" else "-"
        key = (method, exchange.template, exchange.status)
        known = self._meters.get(key)
        if known is None:
            known = (REQUESTS.labels(*map(str, key)), SECONDS.labels(method, exchange.template))
            self._meters[key] = known
        return known


def _line(exchange: Exchange, took_s: float, now: datetime) -> bytes:
    fields: dict[str, Any] = {
        "at": now,
        "event": "request",
        "request_id": exchange.request_id,
        "method": exchange.method[:16],
        "route": exchange.template,
        "status": exchange.status,
        "code": exchange.code,
        "tenant": exchange.tenant,
        "subject": exchange.subject,
        "upstream": exchange.upstream,
        "upstream_ms": round(exchange.upstream_s * 1000, 2),
        "attempts": exchange.attempts,
        "ms": round(took_s * 1000, 2),
        "bytes": exchange.bytes_out,
        "complete": exchange.complete,
    }
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
