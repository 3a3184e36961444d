"""An upstream that breaks off: before its answer, within it, or by saying what can't be trusted."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from tests.gateway.waiting import until

from crm_gateway.proxy.domain.breaker import State
from crm_gateway.proxy.domain.retries import RetryBudget
from crm_gateway.proxy.http_upstream import HttpUpstream

GET = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n"


async def test_an_upstream_that_breaks_off_before_its_head_is_502(troubled):
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        raise ConnectionResetError("gone")

    troubled.upstream.behaviour = breaks
    async with troubled.http() as http:
        got = await http.post("/v1/things", json={})
    # A server in between turns the application's failure into a 500 of its own; in process there is none.
    assert got.status_code == (500 if troubled.kind == "socket" else 502)


async def test_half_an_answer_never_looks_whole(troubled):
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ConnectionResetError("gone")

    troubled.upstream.behaviour = breaks
    got = await troubled.raw(GET + troubled.bearer + b"\r\n", within_s=3)
    assert not got.endswith(b"0\r\n\r\n")
    await until(lambda: troubled.log)
    assert troubled.log[0]["code"] == "answer_broken"


async def test_an_upstream_that_is_down_is_503_with_a_hint(open_house):
    async with open_house() as house:
        lane = house.gateway.lanes["customer"]
        lane.upstream = HttpUpstream("http://127.0.0.1:1")
        house.stack.push_async_callback(lane.upstream.close)
        async with house.http() as http:
            got = await http.get("/v1/things")
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "upstream_unreachable", "1")


async def answering(house: Any, *replies: bytes) -> list[bytes]:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(replies[min(len(got), len(replies)) - 1])
        with suppress(ConnectionError):  # the gateway may hang up on what it reads
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    lane = house.gateway.lanes["customer"]
    lane.upstream = HttpUpstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    house.stack.callback(server.close)
    house.stack.push_async_callback(lane.upstream.close)
    return got


async def test_a_connection_that_just_closes_is_tried_once_more_then_502(open_house):
    async with open_house() as house, house.http() as http:
        got = await answering(house, b"")
        answer = await http.get("/v1/things")
        assert (answer.status_code, answer.json()["code"], len(got)) == (502, "upstream_dropped", 2)
        assert (await http.post("/v1/things", json={})).status_code == 502
        assert len(got) == 3


class Ending:
    """A service that keeps connections, and then ends: it closes all of them when the next request comes."""

    def __init__(self) -> None:
        self.connections: list[asyncio.StreamWriter] = []
        self.asked = self.lost = 0
        self.ends = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                if self.ends and writer in self.kept:
                    self.lost += 1
                    for each in self.kept:
                        each.transport.abort()
                    return
                await asyncio.sleep(0.05)  # so that the next request needs another connection
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def end(self) -> None:
        self.kept, self.ends = list(self.connections), True

    async def close(self) -> None:
        for each in self.connections:
            each.transport.abort()
        await asyncio.sleep(0.01)


@pytest.fixture
async def ending(open_house):
    async with open_house() as house:
        service = Ending()
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        house.stack.callback(server.close)
        house.stack.push_async_callback(service.close)
        lane = house.gateway.lanes["customer"]
        lane.upstream = HttpUpstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        house.stack.push_async_callback(lane.upstream.close)
        async with house.http() as http:
            await asyncio.gather(*(http.get("/v1/things") for _ in range(8)))
            service.end()
            yield SimpleNamespace(service=service, http=http, lane=lane)


async def test_a_service_that_ends_fails_no_request_that_may_be_repeated(ending: Any):
    ending.lane.budget = RetryBudget(0.0, initial=0)
    keyed = [ending.http.post("/v1/things", headers={"idempotency-key": f"k{n}"}) for n in range(6)]
    got = await asyncio.gather(*keyed)
    assert ending.service.lost > 0, "nothing was on its way when the connections ended"
    assert [answer.status_code for answer in got] == [200] * 6
    assert (ending.lane.breaker.state, ending.lane.in_flight) == (State.CLOSED, 0)


async def test_a_service_that_ends_is_never_asked_twice_for_what_may_not_be_repeated(ending: Any):
    got = await ending.http.post("/v1/things", json={})
    assert (got.status_code, got.json()["code"], ending.service.lost) == (502, "upstream_dropped", 1)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["two lengths of a body", "two content-lengths", "an endless header", "no HTTP"],
)
async def test_an_answer_that_cannot_be_trusted_is_502(open_house, reply: bytes):
    async with open_house() as house, house.http() as http:
        await answering(house, reply)
        answer = await http.post("/v1/things", json={})
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream_dropped")


async def test_an_answer_shorter_than_announced_cuts_the_connection(open_house):
    async with open_house() as house:
        await answering(house, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        got = await house.raw(GET + house.bearer + b"\r\n", within_s=3)
        assert got.endswith(b"abc") or got == b""
        await until(lambda: house.log)
        assert house.log[0]["code"] == "answer_broken"
