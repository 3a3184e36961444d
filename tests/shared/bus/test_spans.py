"""Events keep the trace in which they were made, over both adapters: from the outbox to another service's handlers."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from opentelemetry.trace import SpanKind

from crm_shared.bus.handlers import Received
from crm_shared.bus.spans import MOST_AT_ONCE, Place, processing, sending
from crm_shared.clock import SystemClock
from crm_shared.db.pool import Tx
from crm_shared.events import Envelope
from crm_shared.ids import new_id
from crm_shared.observability.tracing import Trace, current_trace, following
from crm_shared.testing.bus import Counted, Line, until
from crm_shared.testing.spans import Spans, recorded_spans


def trace(nth: int, *, sampled: bool = True) -> Trace:
    return Trace(f"00-{nth:032x}-{nth:016x}-{'01' if sampled else '00'}", None)


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recorded_spans() as recorded:
        yield recorded


def event(of: Trace | None, *, sequence: int = 1) -> Envelope:
    tenant, item = new_id(), new_id()
    now = SystemClock().now()
    told = of or (None, None)
    return Envelope(
        new_id(), "crm.item.counted.v1", "test", "item_x", now, tenant, item, 0, sequence, told[0], "{}", told[1]
    )


async def handler() -> None:
    """Nothing."""


async def test_an_event_is_relayed_and_applied_in_the_trace_that_made_it(line: Line, spans: Spans) -> None:
    seen: list[Trace | None] = []

    @line.reactions.on(line.counted.TYPE, Counted)
    async def note(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
        seen.append(current_trace())

    line.begin(line.relay())
    line.begin(line.consumer())
    made = Trace("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", "acme=crawl")
    with following(made):
        await line.emit(new_id(), new_id(), 1)

    async def both() -> bool:
        return {span.kind for span in spans.all} >= {SpanKind.PRODUCER, SpanKind.CONSUMER}

    await until(both)
    sent = next(span for span in spans.all if span.kind is SpanKind.PRODUCER)
    taken = next(span for span in spans.all if span.kind is SpanKind.CONSUMER)
    for span in (sent, taken):
        assert f"{span.context.trace_id:032x}" == made.trace_id
        assert span.context.trace_state.to_header() == "acme=crawl"
        assert span.parent.span_id == int("cd" * 8, 16)
        assert [link.context.span_id for link in span.links] == [span.parent.span_id]
        assert span.attributes["messaging.system"] == line.bus.system
        assert span.attributes["messaging.destination.name"] == line.topic
    assert taken.attributes["code.function.name"].endswith("note")
    (inside,) = seen
    assert inside is not None
    assert inside.span_id == f"{taken.context.span_id:016x}"


def test_a_batch_is_one_span_for_each_trace_in_it_that_is_wanted(spans: Spans) -> None:
    batch = [event(trace(1)), event(trace(2)), event(trace(1)), event(trace(3, sampled=False)), event(None)]
    with sending(Place("customer", "kafka"), batch):
        pass
    counts = {
        f"{span.context.trace_id:032x}": span.attributes.get("messaging.batch.message_count") for span in spans.all
    }
    assert counts == {trace(1).trace_id: 2, trace(2).trace_id: None}


def test_a_handler_works_in_the_trace_of_its_batch_s_first_event(spans: Spans) -> None:
    place = Place("sales-pipeline", "kafka")
    for first, wanted in ((trace(1), True), (trace(1, sampled=False), False)):
        with processing(place, [event(first), event(trace(2))], handler):
            inside = current_trace()
            assert inside is not None
            assert inside.trace_id == first.trace_id
            assert inside.sampled is wanted
    with processing(place, [event(None), event(trace(2))], handler):
        assert current_trace() is None


def test_a_large_batch_of_many_traces_makes_no_more_spans_than_are_worth_it(spans: Spans) -> None:
    with sending(Place("customer", "kafka"), [event(trace(nth + 1)) for nth in range(3 * MOST_AT_ONCE)]):
        pass
    assert len(spans.all) == MOST_AT_ONCE


def test_nobody_an_event_is_about_is_in_a_span(spans: Spans) -> None:
    told = event(trace(1))
    with processing(Place("customer", "kafka"), [told], handler):
        pass
    text = "".join(span.to_json() for span in spans.all)
    assert str(told.id) in text
    assert not [hidden for hidden in (str(told.aggregate_id), str(told.tenant), told.subject) if hidden in text]
