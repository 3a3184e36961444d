"""A collector of traces as OpenTelemetry's own: it takes OTLP over HTTP and decodes what came."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class Seen:
    """One span as it came over the wire."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    attributes: dict[str, Any]
    links: tuple[str, ...]
    failed: bool


@dataclass
class Collector:
    """What has come so far; `raw` is all of it as bytes, for whoever looks for what must not be there."""

    url: str
    spans: list[Seen] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, trace_id: str) -> list[Seen]:
        with self.lock:
            return [span for span in self.spans if span.trace_id == trace_id]

    def wait(self, trace_id: str, enough: Callable[[list[Seen]], bool], within_s: float = 30) -> list[Seen]:
        deadline = time.monotonic() + within_s
        while not enough(found := self.of(trace_id)):
            assert time.monotonic() < deadline, [(span.service, span.kind, span.name) for span in found]
            time.sleep(0.02)
        return found

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self.lock:
            self.raw += body
            for part in request.resource_spans:
                resource = {each.key: _value(each.value) for each in part.resource.attributes}
                for scope in part.scope_spans:
                    self.spans += [_seen(resource["service.name"], span) for span in scope.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Not a word."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield collector
    server.shutdown()
    server.server_close()
    thread.join()


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        state=span.trace_state,
        attributes={each.key: _value(each.value) for each in span.attributes},
        links=tuple(link.trace_id.hex() for link in span.links),
        failed=span.status.code == 2,
    )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
