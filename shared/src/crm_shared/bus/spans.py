"""The backbone's part of a trace, after OpenTelemetry's conventions for messaging.

A batch holds events of many traces. Each trace that somebody wants to keep gets a span of its own for its part of the
batch, as a child of where its event was created: so one trace shows the way of its events from the request to the last
effect, and nobody has to follow links. (The link that the conventions ask for is there as well.)
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from crm_shared.events import Envelope
from crm_shared.observability.tracing import Begun, Kind, Trace, Value, are_traced, began, following

MOST_AT_ONCE = 100
"""A larger batch tells of its first traces only: spans must not cost more than what they watch."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who speaks with which bus: a service, and the bus' name in traces."""

    service: str = "unknown"
    system: str = "unknown"


def trace_of(envelope: Envelope) -> Trace | None:
    """Where an event was created."""
    return Trace.read(envelope.traceparent, envelope.tracestate)


@contextmanager
def sending(place: Place, envelopes: Sequence[Envelope]) -> Generator[None]:
    """A batch on its way to the bus."""
    if not are_traced():
        yield
        return
    with ExitStack() as spans:
        for trace, part in _by_trace(envelopes).items():
            spans.enter_context(began(_begun(place, "send", trace, part, Kind.PRODUCER)))
        yield


@contextmanager
def processing(place: Place, envelopes: Sequence[Envelope], handler: Any) -> Generator[None]:
    """One handler's work on a batch, in the trace of its first event: what it logs and emits belongs there."""
    first = trace_of(envelopes[0])
    if not are_traced():
        with following(first):
            yield
        return
    with ExitStack() as spans:
        for trace, part in _by_trace(envelopes).items():
            span = spans.enter_context(began(_begun(place, "process", trace, part, Kind.CONSUMER)))
            told = {"messaging.consumer.group.name": f"crm.{place.service}"}
            span.tell({**told, "code.function.name": f"{handler.__module__}.{handler.__qualname__}"})
            own = span.trace if trace == first else None
            first = own or first
        with following(first):
            yield


def _by_trace(envelopes: Sequence[Envelope]) -> dict[Trace, list[Envelope]]:
    found: dict[Trace, list[Envelope]] = {}
    for envelope in envelopes:
        trace = trace_of(envelope)
        if trace is not None and trace.sampled and (trace in found or len(found) < MOST_AT_ONCE):
            found.setdefault(trace, []).append(envelope)
    return found


def _begun(place: Place, verb: str, trace: Trace, part: Sequence[Envelope], kind: Kind) -> Begun:
    """Who an event is about is in its subject and its key: neither is told."""
    topic = part[0].topic
    attributes: dict[str, Value] = {
        "messaging.system": place.system,
        "messaging.operation.type": verb,
        "messaging.operation.name": verb,
        "messaging.destination.name": topic,
        "cloudevents.event_type": part[0].type,
    }
    if len(part) == 1:
        attributes["messaging.message.id"] = str(part[0].id)
    else:
        attributes["messaging.batch.message_count"] = len(part)
    return Begun(place.service, f"{verb} {topic}", kind, trace, (trace,), attributes)
