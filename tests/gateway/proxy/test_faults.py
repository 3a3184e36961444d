"""What goes wrong behind the door and in front of it, over sockets and in process alike."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.proxy.domain.breaker import Breaker, BreakerPolicy, State
from crm_gateway.proxy.domain.retries import RetryBudget
from crm_gateway.proxy.domain.rules import Rule
from crm_gateway.proxy.http_upstream import HttpUpstream


@pytest.fixture(params=["socket", "process"], scope="module")
async def faulty(request, open_house) -> AsyncGenerator[Any]:
    """A gateway before an upstream that misbehaves, reached by socket or in this process."""
    async with open_house() as house:
        if request.param == "process":
            house.gateway.lanes["customer"].upstream = AsgiUpstream(house.upstream)
        house.kind = request.param
        yield house


@pytest.fixture
def house(faulty):
    lane = faulty.gateway.lanes["customer"]
    lane.breaker, lane.budget = Breaker(), RetryBudget(0.2)
    faulty.upstream.seen.clear()
    faulty.upstream.behaviour = None
    faulty.upstream.cancelled.clear()
    faulty.log.clear()
    return faulty


def patient_for(house: Any, seconds: float) -> None:
    """All routes' answers are due within `seconds`."""
    door = house.gateway._door
    door._rules = {key: Rule(timeout_s=seconds) for key in door._rules}


@pytest.fixture
def impatient(house):
    """A house whose deadlines are short."""
    door = house.gateway._door
    before = door._rules
    patient_for(house, 0.3)
    yield house
    door._rules = before


async def until(true: Any, within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)


def endless(house: Any, *, first: bytes = b"", kind: bytes = b"text/plain") -> Any:
    """An upstream that answers (`first`) or not, and then works until it is stopped."""

    async def behave(scope: Any, receive: Any, send: Any) -> None:
        try:
            if first:
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
                await send({"type": "http.response.body", "body": first, "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            house.upstream.cancelled.set()

    return behave


async def hang_up_after(house: Any, request: bytes, expected: bytes) -> None:
    """Sends a request, waits until the upstream has it (and `expected` came back), and hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(request)
    await until(lambda: house.upstream.seen)
    got = b""
    while expected not in got:
        got += await asyncio.wait_for(reader.read(65536), 3)
    writer.close()


GET = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n"


class TestSlow:
    async def test_an_upstream_that_does_not_answer_in_time_is_504(self, impatient):
        impatient.upstream.behaviour = endless(impatient)
        began = time.monotonic()
        async with impatient.http() as http:
            got = await http.get("/v1/things")
        assert (got.status_code, got.json()["code"]) == (504, "upstream_timeout")
        assert time.monotonic() - began < 2
        await asyncio.wait_for(impatient.upstream.cancelled.wait(), 3)

    async def test_a_timeout_is_not_tried_again(self, impatient):
        impatient.upstream.behaviour = endless(impatient)
        async with impatient.http() as http:
            await http.get("/v1/things")
        assert len(impatient.upstream.seen) == 1

    async def test_the_time_that_is_left_goes_along(self, house):
        async with house.http() as http:
            await http.get("/v1/things")
        assert 14_000 < int(house.upstream.seen[0].header("x-timeout-ms")) <= 15_000

    async def test_an_answer_that_stalls_half_way_cuts_the_connection(self, impatient):
        impatient.upstream.behaviour = endless(impatient, first=b"half")
        got = await impatient.raw(GET + impatient.bearer + b"\r\n", within_s=3)
        assert b"half" in got
        assert not got.endswith(b"0\r\n\r\n")
        await asyncio.wait_for(impatient.upstream.cancelled.wait(), 3)
        await until(lambda: impatient.log)
        assert (impatient.log[0]["code"], impatient.log[0]["complete"]) == ("answer_broken", False)


class TestDropped:
    async def test_an_upstream_that_breaks_off_before_its_head_is_502(self, house):
        async def breaks(scope: Any, receive: Any, send: Any) -> None:
            raise ConnectionResetError("gone")

        house.upstream.behaviour = breaks
        async with house.http() as http:
            got = await http.post("/v1/things", json={})
        # A server in between turns the application's failure into a 500 of its own; in process there is none.
        assert got.status_code == (500 if house.kind == "socket" else 502)

    async def test_half_an_answer_never_looks_whole(self, house):
        async def breaks(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ConnectionResetError("gone")

        house.upstream.behaviour = breaks
        got = await house.raw(GET + house.bearer + b"\r\n", within_s=3)
        assert not got.endswith(b"0\r\n\r\n")
        await until(lambda: house.log)
        assert house.log[0]["code"] == "answer_broken"


class TestDisconnect:
    async def test_a_client_that_hangs_up_while_waiting_stops_the_upstreams_work(self, house):
        house.upstream.behaviour = endless(house)
        await hang_up_after(house, GET + house.bearer + b"\r\n", b"")
        await asyncio.wait_for(house.upstream.cancelled.wait(), 3)
        await until(lambda: house.log)
        assert (house.log[0]["status"], house.log[0]["code"]) == (499, "client_gone")

    async def test_a_client_that_hangs_up_in_the_middle_of_an_answer_stops_the_upstreams_work(self, house):
        house.upstream.behaviour = endless(house, first=b"begun")
        await hang_up_after(house, GET + house.bearer + b"\r\n", b"begun")
        await asyncio.wait_for(house.upstream.cancelled.wait(), 3)

    async def test_a_client_that_hangs_up_while_sending_stops_the_upstreams_work(self, house):
        house.upstream.behaviour = endless(house)
        head = (
            b"POST /v1/customer-imports HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + house.bearer + b"\r\n"
        )
        await hang_up_after(house, head + b"5\r\nabcde\r\n", b"")
        await asyncio.wait_for(house.upstream.cancelled.wait(), 3)

    async def test_leaving_clients_open_no_breaker(self, house):
        house.upstream.behaviour = endless(house)
        for _ in range(25):
            house.upstream.seen.clear()
            await hang_up_after(house, GET + house.bearer + b"\r\n", b"")
        await until(lambda: house.gateway.lanes["customer"].in_flight == 0)
        assert house.gateway.lanes["customer"].breaker.state is State.CLOSED

    async def test_a_client_that_stays_gets_its_answer_however_long_it_takes(self, house):
        async def late(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(0.15)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"late"})

        house.upstream.behaviour = late
        async with house.http() as http:
            for _ in range(3):
                assert (await http.get("/v1/things")).text == "late"


class TestRetry:
    def failing(self, house: Any, times: int, status: int = 503, headers: list[Any] | None = None) -> None:
        async def behave(scope: Any, receive: Any, send: Any) -> None:
            failed = len(house.upstream.seen) <= times
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            sent = (headers or []) if failed else []
            await send({"type": "http.response.start", "status": status if failed else 200, "headers": sent})
            await send({"type": "http.response.body", "body": b"failed" if failed else b"got " + body})

        house.upstream.behaviour = behave

    async def test_an_idempotent_request_is_tried_once_more(self, house):
        self.failing(house, times=1)
        async with house.http() as http:
            got = await http.get("/v1/things")
        assert (got.status_code, len(house.upstream.seen)) == (200, 2)
        assert house.log[0]["attempts"] == 2

    async def test_a_keyed_post_is_tried_once_more_with_the_same_body(self, house):
        self.failing(house, times=1)
        async with house.http() as http:
            got = await http.post("/v1/things", content=b"hello", headers={"idempotency-key": "k1"})
        assert (got.text, len(house.upstream.seen)) == ("got hello", 2)
        assert {seen.header("idempotency-key") for seen in house.upstream.seen} == {"k1"}

    async def test_any_other_post_is_not(self, house):
        self.failing(house, times=1)
        async with house.http() as http:
            got = await http.post("/v1/things", content=b"hello")
        assert (got.status_code, got.text, len(house.upstream.seen)) == (503, "failed", 1)

    async def test_a_streamed_upload_is_not_even_with_a_key(self, house):
        async def upload() -> Any:
            yield b"a"

        self.failing(house, times=1)
        async with house.http() as http:
            got = await http.post("/v1/customer-imports", content=upload(), headers={"idempotency-key": "k1"})
        assert (got.status_code, len(house.upstream.seen)) == (503, 1)

    async def test_an_upstream_that_names_a_time_is_taken_at_its_word(self, house):
        self.failing(house, times=1, headers=[(b"retry-after", b"7")])
        async with house.http() as http:
            got = await http.get("/v1/things")
        assert (got.status_code, got.headers["retry-after"], len(house.upstream.seen)) == (503, "7", 1)

    async def test_a_500_is_not_tried_again(self, house):
        self.failing(house, times=1, status=500)
        async with house.http() as http:
            assert (await http.get("/v1/things")).status_code == 500
        assert len(house.upstream.seen) == 1

    async def test_in_an_outage_retries_are_a_fifth_of_requests(self, house):
        lane = house.gateway.lanes["customer"]
        lane.breaker, lane.budget = Breaker(BreakerPolicy(minimum=10_000)), RetryBudget(0.2, initial=0)
        self.failing(house, times=1_000_000)
        async with house.http() as http:
            for _ in range(50):
                await http.get("/v1/things")
        assert len(house.upstream.seen) == 60


class TestBreaker:
    async def test_it_opens_and_spares_the_upstream_then_tries_one_and_closes(self, house):
        failing = True

        async def behave(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 502 if failing else 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        house.upstream.behaviour = behave
        lane = house.gateway.lanes["customer"]
        lane.breaker = Breaker(BreakerPolicy(minimum=5, rest_s=0.2))
        async with house.http() as http:
            for _ in range(5):
                assert (await http.post("/v1/things")).status_code == 502
            seen = len(house.upstream.seen)
            got = await http.post("/v1/things")
            assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "circuit_open", "1")
            assert len(house.upstream.seen) == seen
            failing = False
            await until(lambda: time.monotonic() >= lane.breaker._opened_at + 0.2)
            assert (await http.post("/v1/things")).status_code == 200
        assert lane.breaker.state is State.CLOSED

    async def test_another_upstream_is_not_touched(self, house):
        house.gateway.lanes["customer"].breaker = Breaker(BreakerPolicy(minimum=1))
        house.gateway.lanes["customer"].breaker._open(time.monotonic())
        async with house.http() as http:
            assert (await http.get("/v1/things")).status_code == 503
            assert (await http.get("/v1/me")).status_code == 200

    async def test_too_many_under_way_are_turned_away_at_once(self, house):
        lane = house.gateway.lanes["customer"]
        most, lane._most_in_flight = lane._most_in_flight, 0
        async with house.http() as http:
            got = await http.get("/v1/things")
        lane._most_in_flight = most
        assert (got.status_code, got.json()["code"]) == (503, "upstream_busy")


class TestStreaming:
    async def test_an_answer_is_passed_on_while_it_is_made(self, house):
        go_on = asyncio.Event()

        async def slowly(scope: Any, receive: Any, send: Any) -> None:
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            )
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"data: 2\n\n"})

        house.upstream.behaviour = slowly
        async with house.http() as http, http.stream("GET", "/v1/things") as got:
            pieces = got.aiter_bytes()
            assert await asyncio.wait_for(anext(pieces), 3) == b"data: 1\n\n"
            go_on.set()
            assert await asyncio.wait_for(anext(pieces), 3) == b"data: 2\n\n"

    async def test_a_stream_of_events_outlives_the_deadline(self, impatient):
        async def ticking(scope: Any, receive: Any, send: Any) -> None:
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            )
            for _ in range(5):
                await send({"type": "http.response.body", "body": b": tick\n\n", "more_body": True})
                await asyncio.sleep(0.12)
            await send({"type": "http.response.body", "body": b"data: end\n\n"})

        impatient.upstream.behaviour = ticking
        async with impatient.http() as http:
            got = await http.get("/v1/things")
        assert got.text.endswith("data: end\n\n")

    async def test_an_upload_is_passed_on_while_it_comes(self, house):
        arrived: asyncio.Queue[bytes] = asyncio.Queue()

        async def note(scope: Any, receive: Any, send: Any) -> None:
            while True:
                message = await receive()
                if message.get("body"):
                    arrived.put_nowait(message["body"])
                if not message.get("more_body"):
                    break
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

        async def upload() -> Any:
            yield b"first"
            assert await asyncio.wait_for(arrived.get(), 3) == b"first"
            yield b"second"

        house.upstream.behaviour = note
        async with house.http() as http:
            assert (await http.post("/v1/customer-imports", content=upload())).text == "ok"
        assert await arrived.get() == b"second"

    async def test_a_client_that_does_not_read_slows_the_upstream_down(self, house):
        sent = 0

        async def pour(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await send({"type": "http.response.start", "status": 200, "headers": []})
            try:
                while sent < 400:
                    await send({"type": "http.response.body", "body": b"x" * 262_144, "more_body": True})
                    sent += 1
            finally:
                house.upstream.cancelled.set()

        house.upstream.behaviour = pour
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=65_536)
        writer.write(GET + house.bearer + b"\r\n")
        before = -1
        async with asyncio.timeout(5):
            while sent != before or sent == 0:
                before = sent
                await asyncio.sleep(0.2)
        assert sent < 200, "the whole answer of 100 MiB was buffered somewhere"
        writer.transport.abort()
        await asyncio.wait_for(house.upstream.cancelled.wait(), 5)
        del reader


async def test_an_upstream_that_is_down_is_503_with_a_hint(open_house):
    async with open_house() as house:
        lane = house.gateway.lanes["customer"]
        lane.upstream = HttpUpstream("http://127.0.0.1:1")
        house.stack.push_async_callback(lane.upstream.close)
        async with house.http() as http:
            got = await http.get("/v1/things")
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "upstream_unreachable", "1")


class TestRawUpstream:
    """An upstream that speaks bytes, to break rules that no server framework lets one break."""

    async def answering(self, house: Any, *replies: bytes) -> list[bytes]:
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

    async def test_a_connection_that_just_closes_is_tried_once_more_then_502(self, open_house):
        async with open_house() as house, house.http() as http:
            got = await self.answering(house, b"")
            answer = await http.get("/v1/things")
            assert (answer.status_code, answer.json()["code"], len(got)) == (502, "upstream_dropped", 2)
            assert (await http.post("/v1/things", json={})).status_code == 502
            assert len(got) == 3

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
    async def test_an_answer_that_cannot_be_trusted_is_502(self, open_house, reply: bytes):
        async with open_house() as house, house.http() as http:
            await self.answering(house, reply)
            answer = await http.post("/v1/things", json={})
            assert (answer.status_code, answer.json()["code"]) == (502, "upstream_dropped")

    async def test_an_answer_shorter_than_announced_cuts_the_connection(self, open_house):
        async with open_house() as house:
            await self.answering(house, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            got = await house.raw(GET + house.bearer + b"\r\n", within_s=3)
            assert got.endswith(b"abc") or got == b""
            await until(lambda: house.log)
            assert house.log[0]["code"] == "answer_broken"
