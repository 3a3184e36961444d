import subprocess
import sys

import pytest

from crm_shared.observability.tracing import (
    NO_SPAN,
    Begun,
    Trace,
    are_traced,
    began,
    carrying_out,
    current_trace,
    following,
    span,
)

PARENT = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


@pytest.mark.parametrize(
    "parent",
    [
        None, 7, "", "nonsense", PARENT + "-more", PARENT.upper(), "01" + PARENT[2:], PARENT.replace("cd", "00"),
        "00-" + "0" * 32 + "-" + "cd" * 8 + "-01", PARENT + "\n",
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_no_trace(parent: object):
    assert Trace.read(parent) is None


def test_a_trace_tells_its_ids_and_whether_it_is_wanted():
    trace = Trace.read(PARENT, "acme=1")
    assert trace is not None
    assert (trace.trace_id, trace.span_id, trace.sampled, trace.state) == ("ab" * 16, "cd" * 8, True, "acme=1")
    unwanted = Trace.read(PARENT[:-2] + "00")
    assert unwanted is not None
    assert not unwanted.sampled


@pytest.mark.parametrize("state", [None, "", 7, "a=" + "x" * 511])
def test_a_state_that_is_none_or_too_long_is_left_behind(state: object):
    assert Trace.read(PARENT, state) == Trace(PARENT, None)


def test_without_a_collector_work_keeps_its_trace_and_makes_no_span():
    assert not are_traced()
    trace = Trace(PARENT)
    with began(Begun("customer", "request", parent=trace)) as work:
        assert work.trace is None
        assert current_trace() == trace
        with span("customer", "inner") as inner, carrying_out("customer", test_what_is_no_traceparent_is_no_trace):
            assert inner is NO_SPAN
            assert current_trace() == trace
        with following(None):
            assert current_trace() is None
        assert current_trace() == trace
    assert current_trace() is None


def test_whoever_does_not_collect_traces_loads_neither_sdk_nor_exporter():
    program = (
        "import sys, crm_gateway.serving, crm_shared.runtime.serving, crm_shared.runtime.working\n"
        "from crm_shared.observability.tracing import configure_traces\n"
        "configure_traces()\n"
        "print(any(name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("settings", "traced"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_switched_on_by_opentelemetry_s_own_variables(settings: dict[str, str], traced: bool):
    program = (
        "from crm_shared.observability.tracing import are_traced, close_traces, configure_traces\n"
        "configure_traces()\nprint(are_traced())\nclose_traces()"
    )
    done = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=True)
    assert done.stdout == f"{traced}\n"
