"""Answers as they go over the wire: whole where they can be, and never more than one."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from crm_shared.runtime.http_protocol import Protocol

JSON = (b"content-type", b"application/json")


class Line(asyncio.Transport):
    """A connection's writing end that notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True
        self.ended.set()

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """It reads nothing anyway."""

    resume_reading = pause_reading


async def asked(app: Any, request: bytes) -> Line:
    """What `app`'s answer to `request` was written as."""
    state, line = ServerState(), Line()
    protocol = Protocol(uvicorn.Config(app, log_config=None, ws="none"), state, {})
    protocol.connection_made(line)
    protocol.data_received(request)
    await asyncio.gather(*state.tasks)
    await asyncio.sleep(0)
    protocol.connection_lost(ConnectionResetError())
    return line


def answering(*pieces: bytes, headers: tuple[tuple[bytes, bytes], ...] = (JSON,), status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [*headers]})
        for nth, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": nth < len(pieces)})

    return app


GET = b"GET /a%20b?c HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_head_and_body_leave_in_one_write():
    line = await asked(answering(b"{}", headers=(JSON, (b"content-length", b"2"))), GET)
    assert line.writes == [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"]
    assert not line.closed


async def test_a_head_does_not_wait_for_a_body_that_comes_later():
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"late"})

    asking = asyncio.create_task(asked(app, GET))
    for _ in range(5):
        await asyncio.sleep(0)
    go_on.set()
    line = await asking
    assert line.writes == [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"4\r\nlate\r\n0\r\n\r\n"]


async def test_a_body_of_unsaid_length_is_chunked():
    line = await asked(answering(b"one", b"", b"two", headers=()), GET)
    assert b"".join(line.writes).endswith(b"chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("status", "request_"), [(200, GET.replace(b"GET", b"HEAD")), (204, GET), (304, GET)], ids=["head", "204", "304"]
)
async def test_an_answer_that_has_no_body_has_none(status: int, request_: bytes):
    line = await asked(answering(b"", headers=(), status=status), request_)
    assert b"".join(line.writes).endswith(b"\r\n\r\n")
    assert b"chunked" not in b"".join(line.writes)


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_that_holds_a_lines_end_is_not_sent(value: bytes):
    line = await asked(answering(b"", headers=((b"location", value),)), GET)
    assert [write[:12] for write in line.writes] == [b"HTTP/1.1 500"]
    assert b"location" not in line.writes[0]


@pytest.mark.parametrize("body", [b"a", b"abc"], ids=["too short", "too long"])
async def test_a_body_not_as_long_as_said_cuts_the_connection(body: bytes):
    line = await asked(answering(body, headers=((b"content-length", b"2"),)), GET)
    assert line.closed
    assert body not in b"".join(line.writes)


@pytest.mark.parametrize(
    "request_", [GET.replace(b"1.1", b"1.0"), GET.replace(b"Host", b"Connection: close\r\nHost")], ids=["1.0", "close"]
)
async def test_a_client_that_wants_one_answer_gets_one(request_: bytes):
    line = await asked(answering(b"{}", headers=((b"content-length", b"2"),)), request_)
    assert line.closed
    assert line.writes[0].count(b"connection: close\r\n") == 1
    assert line.writes[0].endswith(b"{}")


async def test_an_application_that_closes_says_so_once():
    line = await asked(answering(b"", headers=((b"content-length", b"0"), (b"connection", b"close"))), GET)
    assert line.closed
    assert b"".join(line.writes).count(b"connection: close") == 1


async def test_requests_sent_ahead_are_answered_in_their_order():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0 if scope["path"] == "/2" else 0.01)
        path: bytes = scope["raw_path"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": path})

    state, line = ServerState(), Line()
    protocol = Protocol(uvicorn.Config(app, log_config=None, ws="none"), state, {})
    protocol.connection_made(line)
    protocol.data_received(GET.replace(b"/a%20b?c", b"/1") + GET.replace(b"/a%20b?c", b"/2"))
    while state.tasks:
        await asyncio.gather(*state.tasks)
    assert [write[-2:] for write in line.writes] == [b"/1", b"/2"]
    protocol.connection_lost(ConnectionResetError())


async def test_the_application_sees_the_request_as_it_was_asked():
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        await answering(b"", headers=())(scope, receive, send)

    await asked(app, GET)
    assert (seen["method"], seen["path"], seen["raw_path"], seen["query_string"]) == ("GET", "/a b", b"/a%20b", b"c")
    assert seen["http_version"] == "1.1"


@pytest.mark.parametrize("name", [b"content-length", b"Content-Length", b"CONTENT-LENGTH"])
async def test_a_length_counts_however_it_is_spelt(name: bytes):
    line = await asked(answering(b"{}", headers=((name, b"2"),)), GET)
    assert line.writes == [b"HTTP/1.1 200 OK\r\n" + name + b": 2\r\n\r\n{}"]


class TestResting:
    """A connection without a request is closed after a while, however many it has had."""

    def begun(self, app: Any, rest_s: float) -> tuple[Protocol, Line, ServerState]:
        state, line = ServerState(), Line()
        protocol = Protocol(uvicorn.Config(app, log_config=None, ws="none"), state, {})
        protocol.timeout_keep_alive = rest_s  # uvicorn's setting takes whole seconds
        protocol.connection_made(line)
        return protocol, line, state

    async def test_it_is_closed_when_it_has_rested_for_long_enough_and_not_before(self):
        protocol, line, state = self.begun(answering(b"", headers=()), 0.3)
        loop = asyncio.get_running_loop()
        for _ in range(4):
            protocol.data_received(GET)
            await asyncio.gather(*state.tasks)
            assert not line.closed
            last = loop.time()
            await asyncio.sleep(0.1)
        await asyncio.wait_for(line.ended.wait(), 5)
        assert loop.time() - last >= 0.3
        protocol.connection_lost(ConnectionResetError())

    async def test_it_is_not_closed_amid_a_request_that_takes_longer(self):
        go_on = asyncio.Event()
        answered = answering(b"", headers=())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                await go_on.wait()
            await answered(scope, receive, send)

        protocol, line, state = self.begun(app, 0.05)
        protocol.data_received(GET)
        await asyncio.gather(*state.tasks)
        protocol.data_received(GET.replace(b"/a%20b?c", b"/slow"))
        await asyncio.sleep(0.2)
        assert not line.closed
        go_on.set()
        await asyncio.gather(*state.tasks)
        await asyncio.wait_for(line.ended.wait(), 5)  # it rests again, and not for ever
        protocol.connection_lost(ConnectionResetError())

    async def test_one_that_is_gone_is_looked_after_no_more(self):
        protocol, _, state = self.begun(answering(b"", headers=()), 60)
        protocol.data_received(GET)
        await asyncio.gather(*state.tasks)
        timer = protocol.timeout_keep_alive_task
        assert timer is not None
        protocol.connection_lost(ConnectionResetError())
        assert timer.cancelled()
