"""Spans in the hands of a test: made as in production, kept instead of sent."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from crm_shared.observability.spans import OtlpEngine
from crm_shared.observability.tracing import close_traces, use


class Spans:
    """What has been recorded so far."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.engine = OtlpEngine(SimpleSpanProcessor(self._exporter))

    @property
    def all(self) -> Sequence[ReadableSpan]:
        """All that have ended."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Those with this name."""
        return [span for span in self.all if span.name == name]


@contextmanager
def recorded_spans() -> Generator[Spans]:
    """Every span that this process makes inside the block."""
    spans = Spans()
    use(spans.engine)
    try:
        yield spans
    finally:
        close_traces()
