"""A gateway whose clock is wrong, that isn't ready, that isn't there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from crm_shared.clock import SystemClock
from crm_suite.doctor.door import gateway
from crm_suite.doctor.finding import Severity


@contextmanager
def serving(ahead: timedelta, ready: int = 200) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(ready if self.path == "/readyz" else 200)
            self.send_header("Date", format_datetime(SystemClock().now() + ahead, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *told: object) -> None:
            del told

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("ahead_s", "severity"),
    [(0, Severity.FINE), (-10, Severity.WARNING), (10, Severity.WARNING), (3_600, Severity.ERROR)],
)
def test_its_clock_is_held_against_ours(ahead_s: int, severity: Severity) -> None:
    with serving(timedelta(seconds=ahead_s)) as url:
        found = {finding.check: finding.severity for finding in gateway(url, SystemClock())}
    assert found == {"gateway": Severity.FINE, "clock": severity}


def test_one_that_is_not_ready_is_told_from_one_that_is_away() -> None:
    with serving(timedelta(), ready=503) as url:
        found = {finding.check: finding for finding in gateway(url, SystemClock())}
    assert (found["gateway"].severity, found["gateway"].seen) == (Severity.ERROR, "/livez 200, /readyz 503")
    (away,) = gateway(url, SystemClock())
    assert away.severity is Severity.ERROR
    assert "does not answer" in away.seen
    assert list(gateway("", SystemClock())) == []
