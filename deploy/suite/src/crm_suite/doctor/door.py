"""The gateway as a client meets it."""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from crm_shared.clock import Clock
from crm_suite.doctor.clocks import clock
from crm_suite.doctor.finding import Finding, error, fine

_TIMEOUT_S = 5
_DATE_PRECISION_S = 1.0
"""An HTTP date has whole seconds, and a server writes it once a second."""


def gateway(url: str, ours: Clock) -> Iterator[Finding]:
    """Is it there, is it ready, what time is it there."""
    if not url:
        return
    try:
        with httpx.Client(base_url=url, timeout=_TIMEOUT_S) as client:
            live = client.get("/livez")
            ready = client.get("/readyz")
    except (httpx.TransportError, httpx.InvalidURL) as failure:
        seen = f"{url} does not answer ({type(failure).__name__})"
        why = "It is the one door: nobody gets in."
        remedy = "Start it (crm up, or python -m crm_gateway api), or correct CRM_URL."
        yield error("gateway", "the door", seen, why=why, remedy=remedy)
        return
    yield from _health(live, ready)
    date = live.headers.get("date")
    if date:
        yield from clock("the gateway", _ahead_s(date, ours.now()), precision_s=_DATE_PRECISION_S)


def _health(live: httpx.Response, ready: httpx.Response) -> Iterator[Finding]:
    took_ms = live.elapsed.total_seconds() * 1000
    if live.is_success and ready.is_success:
        yield fine("gateway", "the door", f"ready, answers in {took_ms:.0f} ms")
        return
    seen = f"/livez {live.status_code}, /readyz {ready.status_code}"
    why = "A balancer sends it no requests while it is not ready."
    yield error("gateway", "the door", seen, why=why, remedy="See its log, and what is said here of its database.")


def _ahead_s(date: str, now: datetime) -> float:
    return (parsedate_to_datetime(date) - now).total_seconds()
