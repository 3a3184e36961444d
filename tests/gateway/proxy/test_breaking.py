"""An upstream that keeps failing is left in peace, and the others don't feel it."""

import time
from typing import Any

from prometheus_client import REGISTRY
from tests.gateway.waiting import until

from crm_gateway.proxy.domain.breaker import Breaker, BreakerPolicy, State


async def test_it_opens_and_spares_the_upstream_then_tries_one_and_closes(troubled):
    failing = True

    async def behave(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 502 if failing else 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    troubled.upstream.behaviour = behave
    lane = troubled.gateway.lanes["customer"]
    lane.breaker = Breaker(BreakerPolicy(minimum=5, rest_s=0.2))
    async with troubled.http() as http:
        for _ in range(5):
            assert (await http.post("/v1/things")).status_code == 502
        seen = len(troubled.upstream.seen)
        got = await http.post("/v1/things")
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "circuit_open", "1")
        assert len(troubled.upstream.seen) == seen
        failing = False
        await until(lambda: time.monotonic() >= lane.breaker._opened_at + 0.2)
        assert (await http.post("/v1/things")).status_code == 200
    assert lane.breaker.state is State.CLOSED


async def test_an_open_breaker_is_shown_as_a_metric(troubled):
    def shown() -> float | None:
        return REGISTRY.get_sample_value("crm_gateway_breakers_open", {"upstream": "customer"})

    async def behave(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    lane = troubled.gateway.lanes["customer"]
    lane.breaker = Breaker(BreakerPolicy(minimum=1, rest_s=0.1))
    troubled.upstream.behaviour = behave
    async with troubled.http() as http:
        await http.post("/v1/things")
        assert shown() == 1
        troubled.upstream.behaviour = None
        await until(lambda: time.monotonic() >= lane.breaker._opened_at + 0.1)
        assert (await http.post("/v1/things")).status_code == 200
    assert shown() == 0


async def test_another_upstream_is_not_touched(troubled):
    troubled.gateway.lanes["customer"].breaker = Breaker(BreakerPolicy(minimum=1))
    troubled.gateway.lanes["customer"].breaker._open(time.monotonic())
    async with troubled.http() as http:
        assert (await http.get("/v1/things")).status_code == 503
        assert (await http.get("/v1/me")).status_code == 200


async def test_too_many_under_way_are_turned_away_at_once(troubled):
    lane = troubled.gateway.lanes["customer"]
    most, lane._most_in_flight = lane._most_in_flight, 0
    async with troubled.http() as http:
        got = await http.get("/v1/things")
    lane._most_in_flight = most
    assert (got.status_code, got.json()["code"]) == (503, "upstream_busy")
