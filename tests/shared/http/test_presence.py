"""The work for a client that has gone ends; nobody else's does."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crm_shared.http.presence import Presence, _Watch

App = Callable[[Any, Any, Any], Awaitable[None]]


class Client:
    """The server's end of one request: its messages, and a client who may hang up."""

    def __init__(self, *body: bytes) -> None:
        headers = [(b"content-length", str(sum(map(len, body))).encode())] if body else []
        self.scope = {"type": "http", "headers": headers}
        self.gone = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        pieces = list(body) or [b""]
        self._messages = [
            {"type": "http.request", "body": piece, "more_body": at + 1 < len(pieces)}
            for at, piece in enumerate(pieces)
        ]

    async def receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def ask(self, app: App) -> "asyncio.Task[None]":
        return asyncio.ensure_future(Presence(app)(self.scope, self.receive, self.send))


async def answer(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("body", [(), (b"a", b"b")], ids=["no body", "a body"])
async def test_a_handler_is_cancelled_when_its_client_goes(body: tuple[bytes, ...]):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def working(scope: Any, receive: Any, send: Any) -> None:
        got = b""
        while body and len(got) < 2:
            got += (await receive())["body"]
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    client = Client(*body)
    task = client.ask(working)
    await asyncio.wait_for(begun.wait(), 5)
    client.gone.set()
    await asyncio.wait_for(task, 5)  # quietly: to the server this is no error
    assert ended.is_set()
    assert client.sent == []


async def test_a_handler_that_listens_itself_is_told_and_goes_on():
    async def listening(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        await answer(send)

    client = Client()
    task = client.ask(listening)
    client.gone.set()
    await asyncio.wait_for(task, 5)
    assert len(client.sent) == 2


async def test_what_a_handler_does_after_its_answer_is_left_alone():
    done = asyncio.Event()

    async def tidying(scope: Any, receive: Any, send: Any) -> None:
        await answer(send)
        await asyncio.sleep(0.12)  # well after a look at the client
        done.set()

    client = Client()
    client.gone.set()
    await asyncio.wait_for(client.ask(tidying), 5)
    assert done.is_set()


async def test_a_cancellation_from_elsewhere_goes_on_its_way():
    async def working(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    task = Client().ask(working)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_client_that_leaves_amid_its_body_is_the_handlers_to_notice():
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        kinds = [(await receive())["type"] for _ in range(2)]
        assert kinds == ["http.request", "http.disconnect"]
        await answer(send)

    client = Client(b"half")
    client._messages[0]["more_body"] = True
    client.gone.set()
    await asyncio.wait_for(client.ask(reading), 5)
    assert len(client.sent) == 2


async def test_a_request_that_was_watched_leaves_nothing_in_cycles():
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.08)
        await answer(send)

    gc.disable()
    try:
        await asyncio.gather(*(Client().ask(slow) for _ in range(5)))
        await asyncio.sleep(0)
        assert [each for each in gc.get_objects() if isinstance(each, _Watch)] == []
    finally:
        gc.enable()
