"""Requests that two servers could read as different requests. None may reach the upstream, none may hang."""

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
