from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.conftest import answer

from crm_gateway.proxy.http_upstream import HttpUpstream
from crm_gateway.proxy.traces import carrying
from crm_shared.observability.tracing import Trace
from crm_shared.testing.spans import Spans, recorded_spans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENTS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "acme=crawl"}


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recorded_spans() as recorded:
        yield recorded


def ids(spans: Spans) -> set[str]:
    return {f"{span.context.trace_id:032x}" for span in spans.all}


async def test_the_upstream_is_told_the_span_that_asks_it(house, spans: Spans):
    async with house.http() as http:
        await http.get("/v1/things?mail=zebulon", headers=CLIENTS)
    asking, door = spans.named("GET customer")[0], spans.named("GET /v1/things")[0]
    (seen,) = house.upstream.seen
    assert seen.header("traceparent") == f"00-{TRACE}-{asking.context.span_id:016x}-01"
    assert seen.header("tracestate") == "acme=crawl"
    assert asking.parent.span_id == door.context.span_id
    assert ids(spans) == {TRACE}
    assert "zebulon" not in "".join(span.to_json() for span in spans.all)


async def test_the_access_log_names_the_trace(house, spans: Spans):
    async with house.http() as http:
        await http.get("/v1/things", headers=CLIENTS)
    assert house.log[-1]["trace_id"] == TRACE


async def test_a_repeated_attempt_is_a_span_of_its_own(house, spans: Spans):
    async def fail_once(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 503 if len(house.upstream.seen) == 1 else 200)

    house.upstream.behaviour = fail_once
    async with house.http() as http:
        assert (await http.get("/v1/things", headers=CLIENTS)).status_code == 200
    attempts = spans.named("GET customer")
    assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 200]
    assert len({seen.header("traceparent") for seen in house.upstream.seen}) == 2


async def test_an_upstream_that_gives_no_answer_is_told_by_the_kind_of_fault(open_house, spans: Spans):
    async with open_house(upstreams={"customer": HttpUpstream("http://127.0.0.1:1")}) as house, house.http() as http:
        assert (await http.post("/v1/things", json={}, headers=CLIENTS)).status_code == 503
    (asking,) = spans.named("POST customer")
    (door,) = spans.named("POST /v1/things")
    assert asking.attributes["error.type"] == "Unreachable"
    assert door.attributes["error.type"] == "upstream_unreachable"
    assert not asking.status.is_ok
    assert not door.status.is_ok


async def test_probes_and_unknown_methods_make_no_names(house, spans: Spans):
    async with house.http() as http:
        await http.get("/readyz")
        await http.get("/livez")
        await http.request("PROPFIND", "/v1/zebulon")
    assert [span.name for span in spans.all] == ["_OTHER"]


@pytest.mark.parametrize("traced", [True, False])
async def test_where_clients_are_not_trusted_a_trace_begins_at_the_door(open_house, traced: bool):
    async with open_house(settings={"trust_traceparent": False}) as house, house.http() as http:
        if traced:
            with recorded_spans() as spans:
                await http.get("/v1/things", headers=CLIENTS)
            (door,) = spans.named("GET /v1/things")
            assert door.parent is None
            assert [f"{link.context.trace_id:032x}" for link in door.links] == [TRACE]
        else:
            await http.get("/v1/things", headers=CLIENTS)
    (seen,) = house.upstream.seen
    assert TRACE not in seen.header("traceparent")
    assert seen.header("tracestate") is None
    assert house.log[-1]["trace_id"] == seen.header("traceparent")[3:35]


def test_a_trace_takes_the_place_of_any_other():
    headers = [(b"accept", b"*/*"), (b"traceparent", b"old"), (b"tracestate", b"old")]
    assert carrying(headers, Trace("00-new", None)) == [(b"accept", b"*/*"), (b"traceparent", b"00-new")]
    assert carrying(headers, Trace("00-new", "a=1"))[-1] == (b"tracestate", b"a=1")
