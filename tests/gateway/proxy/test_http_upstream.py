"""The upstream behind a socket, against a service that speaks bytes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.gateway.waiting import until

from crm_gateway.proxy.http_upstream import HttpUpstream
from crm_gateway.proxy.upstream import Dropped, Unreachable, UpstreamRequest

GET = UpstreamRequest("GET", b"/a?b=c", [(b"accept", b"*/*")], None)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Spoken:
    """What reached the upstream, and over how many connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()


Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def upstream(*replies: bytes, speak: Speak | None = None) -> AsyncGenerator[tuple[HttpUpstream, Spoken]]:
    """A client and its upstream, which gives `replies` in turn, the last for ever; an empty one closes."""
    spoken = Spoken()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            if speak is not None:
                await speak(reader, writer)
            while speak is None:
                spoken.requests.append(await reader.readuntil(b"\r\n\r\n"))
                reply = replies[min(len(spoken.requests), len(replies)) - 1]
                if not reply:
                    break
                writer.write(reply)
                await writer.drain()
        spoken.closed.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = HttpUpstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield client, spoken
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def ask(client: HttpUpstream, request: UpstreamRequest = GET) -> tuple[int, bytes]:
    body = b""
    async with asyncio.timeout(5), client.exchange(request) as answer:
        while chunk := await answer.read():
            body += chunk
        return answer.status, body


async def test_it_sends_what_it_was_given_and_only_a_host_of_its_own():
    async with upstream(OK) as (client, spoken):
        assert await ask(client) == (200, b"ok")
    assert spoken.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:")
    assert spoken.requests[0].count(b"\r\n") == 4


async def test_a_connection_serves_again():
    async with upstream(OK) as (client, spoken):
        for _ in range(5):
            await ask(client)
        assert spoken.connections == 1


async def test_parallel_requests_get_a_connection_each_and_share_them_later():
    async with upstream(OK) as (client, spoken):
        for _ in range(3):
            await asyncio.gather(*(ask(client) for _ in range(4)))
        assert spoken.connections <= 4


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\npoison!",
    ],
    ids=["it says close", "HTTP/1.0", "it says more than was asked"],
)
async def test_a_connection_that_cannot_be_trusted_further_is_not_used_again(reply: bytes):
    async with upstream(reply) as (client, spoken):
        for _ in range(2):
            try:
                assert await ask(client) == (200, b"ok")
            except Dropped:
                assert reply.endswith(b"poison!")
        assert spoken.connections == 2


async def test_bytes_that_come_unasked_never_answer_the_next_request():
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")

    async with upstream(speak=speak) as (client, spoken):
        assert await ask(client) == (200, b"ok")
        await until(lambda: client._idle[0][0].should_close)  # they have come
        assert await ask(client) == (200, b"ok")
        assert spoken.connections == 2


async def test_a_body_of_unsaid_length_ends_with_the_connection():
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with upstream(speak=closing) as (client, _):
        assert await ask(client) == (200, b"all of it")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_needs_no_length(status: int):
    async with upstream(b"HTTP/1.1 %d X\r\n\r\n" % status) as (client, spoken):
        assert [await ask(client) for _ in range(2)] == [(status, b"")] * 2
        assert spoken.connections == 1


async def test_interim_answers_are_passed_over():
    hinting = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
    async with upstream(hinting) as (client, _), client.exchange(GET) as answer:
        assert answer.status == 200
        assert answer.headers == [(b"Content-Length", b"2")]
        assert await answer.read() == b"ok"


async def test_a_chunked_answer_and_its_trailers():
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n"
    async with upstream(reply) as (client, spoken):
        async with client.exchange(GET) as answer:
            assert await answer.read() == b"ok"
            assert await answer.read() == b""
            assert [name for name, _ in answer.headers] == [b"Transfer-Encoding"]
        assert await ask(client) == (200, b"ok")
        assert spoken.connections == 1


@pytest.mark.parametrize("request_body", [None, b""])
async def test_a_post_without_a_body_says_so(request_body: bytes | None):
    async with upstream(OK) as (client, spoken):
        await ask(client, UpstreamRequest("POST", b"/a", [], request_body))
    assert b"content-length: 0\r\n" in spoken.requests[0]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [([], b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"), ([(b"content-length", b"11")], b"firstsecond")],
)
async def test_a_streamed_body_goes_in_chunks_or_in_its_length(headers: list[tuple[bytes, bytes]], sent: bytes):
    got = b""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await reader.readuntil(b"\r\n\r\n")
        got = await reader.readexactly(len(sent))
        writer.write(OK)
        await reader.read(1)

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        yield b"second"

    async with upstream(speak=speak) as (client, _):
        assert await ask(client, UpstreamRequest("POST", b"/a", headers, body())) == (200, b"ok")
    assert got == sent


async def test_an_answer_may_come_before_all_has_been_said_and_stops_the_saying():
    stopped = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
        finally:
            stopped.set()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with upstream(speak=speak) as (client, _):
        stream = body()
        async with asyncio.timeout(5), client.exchange(UpstreamRequest("POST", b"/a", [], stream)) as answer:
            assert answer.status == 413
        await stream.aclose()
        assert stopped.is_set()


async def test_nobody_there_is_unreachable():
    client = HttpUpstream("http://127.0.0.1:1")
    with pytest.raises(Unreachable):
        await ask(client)
    await client.close()


async def test_a_connection_that_the_upstream_has_closed_meanwhile_is_not_used():
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)

    async with upstream(speak=once) as (client, spoken):
        for turn in range(3):
            assert await ask(client) == (200, b"ok")
            await asyncio.wait_for(spoken.closed.wait(), 5)
            await asyncio.sleep(0.02)  # the close travels
            spoken.closed.clear()
            assert spoken.connections == turn + 1
