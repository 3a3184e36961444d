"""Both bodies flow while they are made, as fast as the slower side."""

import asyncio
from typing import Any

GET = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n"


async def test_an_answer_is_passed_on_while_it_is_made(troubled):
    go_on = asyncio.Event()

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    troubled.upstream.behaviour = slowly
    async with troubled.http() as http, http.stream("GET", "/v1/things") as got:
        pieces = got.aiter_bytes()
        assert await asyncio.wait_for(anext(pieces), 3) == b"data: 1\n\n"
        go_on.set()
        assert await asyncio.wait_for(anext(pieces), 3) == b"data: 2\n\n"


async def test_a_stream_of_events_outlives_the_deadline(impatient):
    async def ticking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(5):
            await send({"type": "http.response.body", "body": b": tick\n\n", "more_body": True})
            await asyncio.sleep(0.12)
        await send({"type": "http.response.body", "body": b"data: end\n\n"})

    impatient.upstream.behaviour = ticking
    async with impatient.http() as http:
        got = await http.get("/v1/things")
    assert got.text.endswith("data: end\n\n")


async def test_an_upload_is_passed_on_while_it_comes(troubled):
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

    troubled.upstream.behaviour = note
    async with troubled.http() as http:
        assert (await http.post("/v1/customer-imports", content=upload())).text == "ok"
    assert await arrived.get() == b"second"


async def test_a_client_that_does_not_read_slows_the_upstream_down(troubled):
    sent = 0

    async def pour(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while sent < 400:
                await send({"type": "http.response.body", "body": b"x" * 262_144, "more_body": True})
                sent += 1
        finally:
            troubled.upstream.cancelled.set()

    troubled.upstream.behaviour = pour
    reader, writer = await asyncio.open_connection("127.0.0.1", troubled.port, limit=65_536)
    writer.write(GET + troubled.bearer + b"\r\n")
    before = -1
    async with asyncio.timeout(5):
        while sent != before or sent == 0:
            before = sent
            await asyncio.sleep(0.2)
    assert sent < 200, "the whole answer of 100 MiB was buffered somewhere"
    writer.transport.abort()
    await asyncio.wait_for(troubled.upstream.cancelled.wait(), 5)
    del reader
