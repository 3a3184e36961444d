"""A proxy that stands between a client and the suite, and does to some requests what networks and busy servers do."""

import json
import socket
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

BUSY: dict[str, Any] = {
    "type": "about:blank",
    "title": "Unavailable",
    "status": 503,
    "code": "unavailable",
    "detail": "Not now; try again.",
    "request_id": "req",
    "errors": [],
}
CHANGED: dict[str, dict[str, Any]] = {
    "newer": {"status": "dormant", "mood": {"of": "the day"}},
    "failed job": {
        "state": "failed",
        "finished_at": "2026-01-31T12:00:00Z",
        "problem": {"code": "operation_gave_up", "detail": "It failed too often."},
    },
}
"""What the answer is made to say."""
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host", "date", "server"}


@dataclass
class Between:
    """What is to happen to the next requests, and what came.

    Faults: `busy` answers 503 without passing on; `cut` breaks the connection at once; `lose` passes on and breaks the
    connection before the answer; `hang` doesn't answer; `newer` adds to the answer what a later version would, `failed
    job` what a job that failed would; `slow down` answers 429 and asks for an hour; `pass` does nothing. `events`
    answers with a stream of two events and a half one.
    """

    upstream: str
    faults: deque[str] = field(default_factory=deque[str])
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    over: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def next(self, *faults: str) -> "Between":
        """Begin anew with these."""
        self.faults = deque(faults)
        self.seen.clear()
        return self

    def keys(self) -> set[str]:
        return {each["headers"].get("idempotency-key", "") for each in self.seen}


@contextmanager
def standing_between(upstream: str) -> Generator[Between]:
    between = Between(upstream)

    class Handler(Passing):
        pass

    Handler.between = between
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        between.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield between
        between.over.set()
        server.shutdown()
        thread.join()


class Passing(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    between: Between

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/_between"):
            self.control(body)
            return
        between = self.between
        fault = between.faults.popleft() if between.faults else "pass"
        headers = {name.lower(): value for name, value in self.headers.items()}
        between.seen.append({"method": self.command, "path": self.path, "headers": headers, "body": body.decode()})
        match fault:
            case "busy":
                self.answer(503, {"content-type": "application/problem+json"}, json.dumps(BUSY).encode())
            case "slow down":
                told = json.dumps({**BUSY, "status": 429, "code": "rate_limited"}).encode()
                self.answer(429, {"content-type": "application/problem+json", "retry-after": "3600"}, told)
            case "cut":
                self.cut()
            case "hang":
                between.over.wait(20)
                self.cut()
            case "events":
                self.events(headers)
            case _:
                self.pass_on(body, headers, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def control(self, body: bytes) -> None:
        """For tests in another language."""
        if self.command == "POST":
            self.between.next(*json.loads(body))
        self.answer(200, {"content-type": "application/json"}, json.dumps(self.between.seen).encode())

    def pass_on(self, body: bytes, headers: dict[str, str], fault: str) -> None:
        kept = {name: value for name, value in headers.items() if name not in HOP_BY_HOP}
        got = httpx.request(self.command, self.between.upstream + self.path, content=body, headers=kept, timeout=20)
        if fault == "lose":
            self.cut()
            return
        content = got.content
        if fault in CHANGED:
            content = json.dumps(got.json() | CHANGED[fault]).encode()
        self.answer(got.status_code, {k: v for k, v in got.headers.items() if k not in HOP_BY_HOP}, content)

    def events(self, headers: dict[str, str]) -> None:
        first = int(headers.get("last-event-id", "0")) + 1
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number in (first, first + 1):
            told = json.dumps({"data": {"number": number}, "line": "a\u2028b"}, ensure_ascii=False)
            self.wfile.write(f": here\r\nid: {number}\r\nevent: crm.test.v1\ndata: {told}\n\n".encode())
        self.wfile.write(f"id: {first + 2}\ndata: {{".encode())
        self.wfile.flush()
        self.cut()

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        pass
