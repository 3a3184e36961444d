"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP. Imported only where somebody collects them.

One process may be several services (`make run`), and a span names its service by its provider's resource: so there is a
provider for each, and one processor that gathers and sends for all of them.
"""

import atexit
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.span import TraceFlags, TraceState

from crm_shared.errors import CrmError
from crm_shared.observability.tracing import Begun, Kind, Trace, Value, Work, doing, done

_NAMESPACE = "corkscrew"
_CLOSE_WITHIN_S = 3.0
_KINDS = {kind: SpanKind[kind.name] for kind in Kind}
_REMOTE = frozenset({Kind.SERVER, Kind.CONSUMER})
_FAILED = Status(StatusCode.ERROR)


class OtlpEngine:
    """Makes spans for the services of this process."""

    def __init__(self, processor: SpanProcessor, *, version: str = "") -> None:
        self._processor = processor
        self._version = version
        self._tracers: dict[str, Tracer] = {}
        atexit.register(self.close)

    @classmethod
    def from_environment(cls) -> "OtlpEngine":
        """Where to, how much of it and how often is said by OpenTelemetry's own variables (`OTEL_…`)."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def span(self, begun: Begun) -> "OtlpSpan":
        """A span that begins now."""
        return OtlpSpan(self._tracer(begun.service), begun)

    def close(self) -> None:
        """Send what has been kept; a collector that is away is not waited for."""
        atexit.unregister(self.close)
        # The exporter tries again for a minute; a process that has been told to end has less.
        sending = threading.Thread(target=self._processor.shutdown, daemon=True)
        sending.start()
        sending.join(_CLOSE_WITHIN_S)

    def _tracer(self, service: str) -> Tracer:
        known = self._tracers.get(service)
        if known is None:
            resource = Resource.create({SERVICE_NAME: service, SERVICE_NAMESPACE: _NAMESPACE})
            if self._version:
                resource = resource.merge(Resource({SERVICE_VERSION: self._version}))
            provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=SpanLimits(max_links=128))
            provider.add_span_processor(self._processor)
            known = self._tracers[service] = provider.get_tracer("crm_shared")
        return known


class OtlpSpan:
    """One span. What failed is told by its type alone: an error's words may be somebody's data."""

    __slots__ = ("_attached", "_begun", "_span", "_token", "_tracer", "trace")

    def __init__(self, tracer: Tracer, begun: Begun) -> None:
        self._tracer = tracer
        self._begun = begun
        self.trace: Trace | None = None

    def __enter__(self) -> Self:
        begun = self._begun
        parent = begun.parent
        is_remote = begun.kind in _REMOTE
        self._span: OtelSpan = self._tracer.start_span(
            begun.name,
            context=set_span_in_context(NonRecordingSpan(_context_of(parent, is_remote=is_remote)), _NOWHERE)
            if parent is not None
            else _NOWHERE,
            kind=_KINDS[begun.kind],
            attributes=begun.attributes,
            links=[Link(_context_of(link, is_remote=True)) for link in begun.links],
        )
        self.trace = _trace_of(self._span.get_span_context())
        self._token = doing(Work(self.trace, begun.request_id))
        self._attached = otel_context.attach(set_span_in_context(self._span))
        return self

    def tell(self, attributes: Mapping[str, Value], *, name: str = "", failed: bool = False) -> None:
        """Say what is only known now."""
        if name:
            self._span.update_name(name)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(_FAILED)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            name = error.code if isinstance(error, CrmError) else type(error).__qualname__
            self.tell({"error.type": name}, failed=not isinstance(error, CrmError))
        self._span.end()
        otel_context.detach(self._attached)
        done(self._token)


_NOWHERE = otel_context.Context()


def _context_of(trace: Trace, *, is_remote: bool) -> SpanContext:
    return SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.span_id, 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(int(trace.parent[53:], 16)),
        trace_state=TraceState.from_header([trace.state]) if trace.state else None,
    )


def _trace_of(context: SpanContext) -> Trace:
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return Trace(parent, context.trace_state.to_header() or None)
