import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from opentelemetry import trace as otel
from opentelemetry.trace import StatusCode

from crm_shared.errors import Conflict
from crm_shared.observability.tracing import (
    Begun,
    Kind,
    Trace,
    began,
    carrying_out,
    current_trace,
    current_work,
    following,
    span,
)
from crm_shared.testing.spans import Spans, recorded_spans

PARENT = Trace("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", "acme=1")


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recorded_spans() as recorded:
        yield recorded


def test_spans_hang_under_one_another_and_under_what_came_from_outside(spans: Spans):
    with began(Begun("customer", "outer", Kind.SERVER, PARENT, request_id="req_1")) as outer:
        with span("customer", "inner") as inner:
            assert current_trace() == inner.trace
            assert current_work().request_id == "req_1"
        assert current_trace() == outer.trace
    assert current_trace() is None
    inside, outside = spans.all
    assert outside.parent.span_id == int("cd" * 8, 16)
    assert inside.parent.span_id == outside.context.span_id
    assert {one.context.trace_id for one in spans.all} == {int("ab" * 16, 16)}
    assert {one.context.trace_state.to_header() for one in spans.all} == {"acme=1"}


def test_one_process_may_speak_for_several_services(spans: Spans):
    with span("gateway", "one"), span("customer", "two"):
        pass
    told = {one.name: one.resource.attributes["service.name"] for one in spans.all}
    assert told == {"one": "gateway", "two": "customer"}


def test_an_unwanted_trace_is_carried_on_but_not_kept(spans: Spans):
    unwanted = Trace(PARENT.parent[:-2] + "00")
    with following(unwanted), span("customer", "inner"):
        trace = current_trace()
        assert trace is not None
        assert trace.trace_id == unwanted.trace_id
        assert not trace.sampled
    assert list(spans.all) == []


def test_an_error_is_told_by_its_type_never_by_its_words(spans: Spans):
    def break_down():
        with carrying_out("customer", break_down):
            raise ValueError("zebulon@leak.example")

    def refuse():
        with carrying_out("customer", refuse):
            raise Conflict("zebulon@leak.example is taken", code="taken")

    for doing in (break_down, refuse):
        with pytest.raises((ValueError, Conflict)):
            doing()
    broken, refused = spans.all
    assert broken.attributes["error.type"] == "ValueError"
    assert broken.status.status_code is StatusCode.ERROR
    assert refused.attributes["error.type"] == "taken"
    assert refused.status.status_code is StatusCode.UNSET
    assert "zebulon" not in broken.to_json() + refused.to_json()
    assert broken.attributes["code.function.name"].endswith("break_down")


def test_other_instrumentation_of_opentelemetry_joins_in(spans: Spans):
    with span("customer", "ours") as ours:
        assert otel.get_current_span().get_span_context().span_id == int(ours.trace.span_id, 16)
    assert not otel.get_current_span().get_span_context().is_valid


def test_a_collector_that_is_away_delays_nobody_and_ends_with_the_process():
    program = (
        "import time\n"
        "from crm_shared.observability.tracing import close_traces, configure_traces, span\n"
        "configure_traces()\n"
        "began = time.perf_counter()\n"
        "for _ in range(5_000):\n"
        "    with span('customer', 'busy'): pass\n"
        "print(time.perf_counter() - began)\n"
        "close_traces()\n"
    )
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "10"}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10
    assert time.monotonic() - started < 30, "it would have been tried for a minute"
