"""Sizes, shares and shedding, at the door."""

import time
from typing import Any

from tests.gateway.waiting import until

from crm_gateway.identity.domain.roles import Role
from crm_gateway.limits.domain import Priority
from crm_gateway.proxy import forwarding


async def test_headers_over_32_kib_or_over_100_are_431(house):
    async with house.http() as http:
        assert (await http.get("/v1/things", headers={"x-long": "a" * 33_000})).status_code == 431
        got = await http.get("/v1/things", headers={f"x-{n}": "1" for n in range(100)})
    assert (got.status_code, got.json()["code"]) == (431, "headers_too_large")
    assert house.upstream.seen == []


async def test_a_declared_body_over_1_mib_is_413_before_it_is_read(house):
    got = await house.raw(
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n" + house.bearer + b"\r\n", within_s=2
    )
    assert got.startswith(b"HTTP/1.1 413")
    assert house.upstream.seen == []


async def test_an_undeclared_body_over_1_mib_is_413_and_opens_no_breaker(house):
    async def endless() -> Any:
        for _ in range(40):
            yield b"a" * 65_536

    async with house.http() as http:
        for _ in range(25):
            got = await http.post("/v1/things", content=endless())
            assert (got.status_code, got.json()["code"]) == (413, "body_too_large")
        await until(lambda: house.gateway.lanes["customer"].in_flight == 0)
        assert not any(seen.whole for seen in house.upstream.seen)
        assert max(len(seen.body) for seen in house.upstream.seen) <= 1024 * 1024
        assert (await http.get("/v1/things")).status_code == 200


async def test_a_named_route_takes_a_large_upload_in_a_stream(house):
    async def upload() -> Any:
        for _ in range(64):
            yield b"a" * 65_536

    async with house.http() as http:
        got = await http.post("/v1/customer-imports", content=upload())
    assert (got.status_code, got.json()["got"]) == (200, 4 * 1024 * 1024)


async def test_a_share_that_is_used_up_is_429_and_others_go_on(open_house):
    async with open_house(settings={"rate_quota": 3, "rate_window_s": 60.0}) as house:
        async with house.http() as http:
            answers = [await http.get("/v1/things") for _ in range(4)]
        assert [got.status_code for got in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert answers[-1].headers["ratelimit"].startswith('"default";r=0;t=')
        assert answers[-1].json()["code"] == "too_many_requests"
        async with house.http(Role.VIEWER) as http:
            assert (await http.get("/v1/things")).status_code == 200


async def test_log_ins_have_a_smaller_share_by_address(open_house):
    async with open_house(settings={"login_quota": 2}) as house, house.http(None) as http:
        body = {"tenant": house.slug, "email": "ada@example.com", "password": "wrong"}
        got = [(await http.post("/v1/sessions", json=body)).status_code for _ in range(3)]
    assert got == [401, 401, 429]


async def test_a_loop_that_stays_late_sheds_uploads_but_not_reads(open_house):
    async with open_house() as house, house.http() as http:
        gauge = house.gateway._door._parts.gauge
        while not gauge.sheds(Priority.BULK):  # the sampler adds prompt samples of its own in between
            for _ in range(10):
                gauge.sample(0.5)
            gauge.sample = lambda lag: None
        got = await http.post("/v1/customer-imports", content=b"{}")
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "overloaded", "1")
        assert (await http.get("/v1/things")).status_code == 200


async def test_a_body_that_never_comes_is_408(house, monkeypatch):
    monkeypatch.setattr(forwarding, "PATIENCE_S", 0.2)
    began = time.monotonic()
    got = await house.raw(
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n" + house.bearer + b"\r\nabc", within_s=4
    )
    assert got.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 2
