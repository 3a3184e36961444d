"""An upstream that takes its time: each request has a deadline, which the upstream is told."""

import asyncio
import time

from tests.gateway.waiting import until

GET = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n"


async def test_an_upstream_that_does_not_answer_in_time_is_504(impatient):
    impatient.upstream.behaviour = impatient.upstream.endless()
    began = time.monotonic()
    async with impatient.http() as http:
        got = await http.get("/v1/things")
    assert (got.status_code, got.json()["code"]) == (504, "upstream_timeout")
    assert time.monotonic() - began < 2
    await asyncio.wait_for(impatient.upstream.cancelled.wait(), 3)


async def test_a_timeout_is_not_tried_again(impatient):
    impatient.upstream.behaviour = impatient.upstream.endless()
    async with impatient.http() as http:
        await http.get("/v1/things")
    assert len(impatient.upstream.seen) == 1


async def test_the_time_that_is_left_goes_along(troubled):
    async with troubled.http() as http:
        await http.get("/v1/things")
    assert 14_000 < int(troubled.upstream.seen[0].header("x-timeout-ms")) <= 15_000


async def test_an_answer_that_stalls_half_way_cuts_the_connection(impatient):
    impatient.upstream.behaviour = impatient.upstream.endless(first=b"half")
    got = await impatient.raw(GET + impatient.bearer + b"\r\n", within_s=3)
    assert b"half" in got
    assert not got.endswith(b"0\r\n\r\n")
    await asyncio.wait_for(impatient.upstream.cancelled.wait(), 3)
    await until(lambda: impatient.log)
    assert (impatient.log[0]["code"], impatient.log[0]["complete"]) == ("answer_broken", False)
