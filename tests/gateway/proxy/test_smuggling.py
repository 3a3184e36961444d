"""Requests that two servers could read as different requests. None may reach the upstream, none may hang."""

import asyncio
from contextlib import suppress

import pytest

START = b"POST /v1/things HTTP/1.1\r\n"
HOST = b"Host: x\r\n"

ATTEMPTS = {
    "content-length and transfer-encoding": HOST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET",
    "two differing content-lengths": HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "two content-lengths in one": HOST + b"Content-Length: 4, 5\r\n\r\nabcde",
    "a signed content-length": HOST + b"Content-Length: +4\r\n\r\nabcd",
    "a folded header": HOST + b"X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "another transfer coding": HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, then identity": HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "no host": b"Content-Length: 0\r\n\r\n",
    "two hosts": HOST + b"Host: y\r\nContent-Length: 0\r\n\r\n",
    "an empty host": b"Host:\r\nContent-Length: 0\r\n\r\n",
    "a host with a path": b"Host: x/evil\r\nContent-Length: 0\r\n\r\n",
    "a malformed chunk size": HOST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
    "a bare line feed after a header": HOST + b"X-Bare: a\nContent-Length: 0\r\n\r\n",
    "a bare line feed in a value": HOST + b"X-Bare: a\n b\r\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": HOST + b"X-Bare: a\rb\r\nContent-Length: 0\r\n\r\n",
    "a chunk that ends in a bare line feed": HOST + b"Transfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n",
    "a chunk longer than it says": HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
    "a chunk size beyond all numbers": HOST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
    "a negative chunk size": HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n",
    "a line feed in a chunk's extension": HOST + b"Transfer-Encoding: chunked\r\n\r\n2;a\nxx\r\nab\r\n0\r\n\r\n",
    "chunked in old HTTP": HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a tab before the coding": HOST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "no header name": HOST + b": a\r\nContent-Length: 0\r\n\r\n",
    "a space in a header's name": HOST + b"X Y: a\r\nContent-Length: 0\r\n\r\n",
    "a length among the trailers": HOST
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a nul in a header": HOST + b"X-Nul: a\x00b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
async def test_it_is_refused_and_the_upstream_gets_no_whole_request(house, attempt: bytes):
    got = await house.raw(START + house.bearer + attempt, within_s=3)
    assert got.startswith(b"HTTP/1.1 400"), got[:200]
    # A fault inside the body shows after the head has gone on; then the upstream sees a client that broke off.
    assert not any(seen.whole or seen.body for seen in house.upstream.seen)


async def test_bytes_behind_a_refused_request_are_not_a_second_request(house):
    inner = b"GET /v1/things/inner HTTP/1.1\r\nHost: x\r\n" + house.bearer + b"\r\n"
    outer = START + house.bearer + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner
    await house.raw(outer, within_s=2)
    assert not any(seen.whole for seen in house.upstream.seen)


async def test_a_pipelined_pair_is_two_requests_each_with_its_own_identity(house):
    pair = b"".join(
        b"GET /v1/things/%d HTTP/1.1\r\nHost: x\r\n" % n + (house.bearer if n == 1 else b"") + b"\r\n" for n in (1, 2)
    )
    await house.raw(pair, within_s=0.5)
    assert [seen.raw_path for seen in house.upstream.seen if seen.whole] == [b"/v1/things/1"]


TARGETS = {
    "another authority than its Host": b"http://evil.example/v1/things",
    "no path": b"*",
    "an authority alone": b"x:80",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
async def test_a_target_that_names_something_else_than_a_path_here_is_refused(house, target: bytes):
    got = await house.raw(b"POST " + target + b" HTTP/1.1\r\n" + HOST + house.bearer + b"Content-Length: 0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400"), got[:200]
    assert house.upstream.seen == []


async def test_a_tunnel_is_refused(house):
    got = await house.raw(b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n" + house.bearer + b"\r\n")
    assert got.startswith(b"HTTP/1.1 400"), got[:200]


async def test_a_whole_address_that_agrees_with_its_host_is_a_path(house):
    head = b"GET http://x/v1/things?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    got = await house.raw(head + house.bearer + b"\r\n")
    assert got.startswith(b"HTTP/1.1 200")
    assert [(seen.raw_path, seen.query) for seen in house.upstream.seen] == [(b"/v1/things", b"a=1")]


async def test_chunk_extensions_and_trailers_do_not_reach_the_upstream(house):
    body = b'5;name=value;x="y"\r\nabcde\r\n0\r\nX-Added: late\r\nIdempotency-Key: late\r\n\r\n'
    head = START + house.bearer + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert (await house.raw(head + body)).startswith(b"HTTP/1.1 200")
    (seen,) = house.upstream.seen
    assert seen.body == b"abcde"
    assert seen.header("x-added") is None
    assert seen.header("idempotency-key") is None


async def test_an_upgrade_is_an_ordinary_request_and_carries_nothing_through(house):
    inner = b"GET /v1/things/inner HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"GET /v1/things HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + house.bearer
    await house.raw(head + b"\r\n" + inner, within_s=0.5)
    assert [seen.raw_path for seen in house.upstream.seen] in ([b"/v1/things"], [])
    assert all(seen.header("upgrade") is None for seen in house.upstream.seen)


async def test_what_follows_a_last_request_is_not_one(house):
    last = b"GET /v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + house.bearer + b"\r\n"
    await house.raw(last + b"GET /v1/things/inner HTTP/1.1\r\nHost: x\r\n" + house.bearer + b"\r\n", within_s=1)
    assert [seen.raw_path for seen in house.upstream.seen] == [b"/v1/things"]


async def test_a_malformed_request_amid_an_answer_says_nothing_into_that_answer(house):
    house.upstream.behaviour = house.upstream.endless(first=b"begun")
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n" + house.bearer + b"\r\n")
    got = await asyncio.wait_for(reader.readuntil(b"begun"), 5)
    writer.write(b"\x00nonsense\r\n\r\n")
    with suppress(ConnectionError):
        got += await asyncio.wait_for(reader.read(), 5)
    assert got.count(b"HTTP/1.1 ") == 1
    writer.close()
