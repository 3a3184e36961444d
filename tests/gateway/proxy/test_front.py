"""Clients that are slow on purpose: no connection is held for long by doing little."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from tests.gateway.waiting import until

from crm_gateway.proxy import forwarding
from crm_gateway.proxy.domain.breaker import State
from crm_gateway.proxy.domain.rules import Rule
from crm_gateway.proxy.front import Front

GET = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def hasty(house, monkeypatch) -> Any:
    """A door with very little patience."""
    monkeypatch.setattr(Front, "head_within_s", 0.3)
    monkeypatch.setattr(Front, "taken_within_s", 0.5)
    return house


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """A byte at a time, never pausing for long."""
    with suppress(ConnectionError):
        for at in range(len(data)):
            writer.write(data[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /v1/thi", GET + b"X-Half: "], ids=["nothing", "half a line", "half a head"]
)
async def test_a_head_that_does_not_come_is_408_and_the_connection_is_over(hasty, sent: bytes):
    began = time.monotonic()
    got = await hasty.raw(sent, within_s=5)
    assert got.startswith(b"HTTP/1.1 408")
    assert b'"code":"head_too_slow"' in got
    assert 0.25 < time.monotonic() - began < 4
    assert hasty.upstream.seen == []


async def test_a_head_that_comes_byte_by_byte_gets_no_more_time(hasty):
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    dripping = asyncio.create_task(drip(writer, GET + b"X-Slow: " + b"a" * 10_000))
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    dripping.cancel()
    writer.close()


async def test_a_connection_that_rests_between_requests_may_rest_longer(hasty):
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    for _ in range(2):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"ok\n"), 5)).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.7)  # more than a head may take
    writer.close()


async def test_an_endless_head_is_431_long_before_it_has_all_been_sent(house):
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    sent = 0
    writer.write(GET)
    with suppress(ConnectionError):
        while sent < 50_000_000:
            writer.write(b"X-Long: " + b"a" * 65_536 + b"\r\n")
            await writer.drain()
            sent += 65_536
            if reader._buffer:  # it has answered
                break
    assert (await asyncio.wait_for(reader.read(100), 5)).startswith(b"HTTP/1.1 431")
    assert sent < 10_000_000
    assert house.upstream.seen == []
    writer.close()


async def test_a_body_that_comes_byte_by_byte_is_408_and_not_the_upstreams_fault(house):
    door, lane = house.gateway._door, house.gateway.lanes["customer"]
    before, door._rules = door._rules, dict.fromkeys(door._rules, Rule(timeout_s=0.3))
    try:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            head = b"POST /v1/customer-imports HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + house.bearer
            writer.write(head + b"\r\n")
            dripping = asyncio.create_task(drip(writer, b"1\r\na\r\n" * 1_000))
            async with asyncio.timeout(5):
                assert (await reader.readline()).startswith(b"HTTP/1.1 408")
            dripping.cancel()
            writer.close()
        await until(lambda: lane.in_flight == 0)
        assert not any(failures for _, failures in lane.breaker._counts)
        assert lane.breaker.state is State.CLOSED
        assert {line["code"] for line in house.log} == {"body_too_slow"}
    finally:
        door._rules = before


async def not_taking(house: Any) -> asyncio.StreamWriter:
    """A client that asks for an endless answer and then takes nothing of it."""

    async def pour(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(2_000):  # to a server, sending to nobody is no error
                await send({"type": "http.response.body", "body": b"x" * 262_144, "more_body": True})
        finally:
            house.upstream.cancelled.set()

    house.upstream.behaviour = pour
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1024)
    writer.write(GET + house.bearer + b"\r\n")
    await until(lambda: house.upstream.seen)
    reader._transport.pause_reading()
    return writer


async def test_an_answer_that_is_not_taken_is_cut_off_and_the_upstream_stops(house, monkeypatch):
    monkeypatch.setattr(forwarding, "PATIENCE_S", 0.3)
    writer = await not_taking(house)
    await asyncio.wait_for(house.upstream.cancelled.wait(), 10)
    await until(lambda: house.log)
    assert (house.log[0]["code"], house.log[0]["complete"]) == ("client_too_slow", False)
    assert house.gateway.lanes["customer"].in_flight == 0
    writer.transport.abort()


async def test_a_client_that_takes_nothing_holds_no_connection_either(hasty):
    writer = await not_taking(hasty)
    await asyncio.wait_for(hasty.upstream.cancelled.wait(), 10)
    await until(lambda: hasty.log)
    assert hasty.log[0]["code"] == "client_gone"
    writer.transport.abort()
