"""Stopping the work that nobody waits for any more: a handler ends when its client has hung up. Plain ASGI.

Neither the server nor the framework does so: a handler would run to its end, and its query with it. A command that is
cut off is rolled back like any that fails; one that was being committed has, to its sender, an unknown outcome, as it
has whenever a connection breaks: its Idempotency-Key tells.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any, TypeAlias

from crm_shared.http.middleware import App, Receive, Scope, Send

Message: TypeAlias = MutableMapping[str, Any]

_BODY = (b"content-length", b"transfer-encoding")
_WATCH_AFTER_S = 0.05
"""What takes less is left alone, and pays for one timer only."""


class Presence:
    """Cancels a request's task when its client has gone before the answer's end."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watch = _Watch(scope, receive, send)
        try:
            await self._app(scope, watch.receive, watch.send)
        except asyncio.CancelledError:
            if not watch.cut_off:
                raise
            watch.task.uncancel()
        finally:
            watch.stop()


class _Watch:
    """One request's two ends: the receiving one is the handler's until it has read the body, and ours from then on."""

    __slots__ = ("_bodyless", "_gone", "_read", "_receive", "_send", "_timer", "_watcher", "cut_off", "task")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.cut_off = False
        self._receive = receive
        self._send = send
        self._bodyless = not any(name in _BODY for name, _ in scope["headers"])
        self._read = False
        self._gone: asyncio.Event | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._look)

    async def receive(self) -> Message:
        """What the handler gets: the body's pieces, then the news that the client has gone."""
        if self._read:
            if self._gone is None:
                self._gone = asyncio.Event()
                self._begin()
            await self._gone.wait()
            return {"type": "http.disconnect"}
        if self._bodyless:
            self._read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        self._read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """What the handler answers; after its end, nobody has to wait for what the handler still does."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.stop()
        await self._send(message)

    def stop(self) -> None:
        """Nobody needs watching any more."""
        # Both know us: whoever keeps them waits, together with all that a request holds, for the garbage collector.
        timer, self._timer = self._timer, None
        watcher, self._watcher = self._watcher, None
        if timer is not None:
            timer.cancel()
        if watcher is not None:
            watcher.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._read or self._bodyless:
            self._begin()
        else:  # the handler itself hears of a client that leaves amid its body
            self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._look)

    def _begin(self) -> None:
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._gone is not None:
            self._gone.set()  # the handler listens itself, and knows what to do
            return
        self.cut_off = True
        self.task.cancel()
