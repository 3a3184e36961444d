"""A service in this very process: the same port without sockets, for the all-in-one run and tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from crm_gateway.proxy.domain.headers import Headers
from crm_gateway.proxy.upstream import Dropped, UpstreamRequest, UpstreamResponse

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Coroutine[Any, Any, None]]

_GRACE_S = 5.0
_DISCONNECT: Message = {"type": "http.disconnect"}


class _Call:
    """One request to the application: both its ends meet here, one chunk at a time."""

    def __init__(self, request: UpstreamRequest) -> None:
        self.status = 0
        self.headers: Headers = []
        self._request = request
        self._whole = request.body if not isinstance(request.body, AsyncIterator) else None
        self._stream = request.body if isinstance(request.body, AsyncIterator) else None
        self._received = False
        self._over = False
        self._read_all = False
        self._gone = asyncio.Event()
        self._head = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[tuple[bytes, bool] | None] = asyncio.Queue(maxsize=1)

    async def receive(self) -> Message:
        """What the application gets next: the request's body, then its end."""
        if self._stream is not None:
            try:
                chunk = await anext(self._stream, None)
            except Exception:  # noqa: BLE001 # whatever ended the sender's stream, to the application it is gone
                self._stream = None
                self._received = True
                return _DISCONNECT
            if chunk is not None:
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._stream = None
            self._received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if not self._received:
            self._received = True
            return {"type": "http.request", "body": self._whole or b"", "more_body": False}
        await self._gone.wait()
        return _DISCONNECT

    async def send(self, message: Message) -> None:
        """What the application answers; waits until the last chunk has been taken."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            if not self._head.done():
                self._head.set_result(None)
            await self._chunks.put((message.get("body", b""), message.get("more_body", False)))

    def returned(self, task: "asyncio.Task[None]") -> None:
        """The application has returned or failed."""
        error = None if task.cancelled() else task.exception()
        if not self._head.done():
            self._head.set_exception(Dropped(f"the application answered nothing: {error!r}"))
            self._head.exception()  # a caller that has left by now won't look at it
        self._over = True
        if self._chunks.empty():
            self._chunks.put_nowait(None)  # wakes a reader that waits; another one looks at `_over` itself

    async def head(self) -> None:
        """Waits for the first byte of the answer."""
        await asyncio.shield(self._head)

    @property
    def ended(self) -> bool:
        """Whether all of the answer's body has been read."""
        return self._read_all

    async def read(self) -> bytes:
        """The next piece of the answer's body as the application sends it."""
        while not self._read_all:
            if self._over and self._chunks.empty():
                raise Dropped("the application ended its answer too early")
            item = await self._chunks.get()
            if item is not None:
                chunk, more = item
                self._read_all = not more
                if chunk:
                    return chunk
        return b""

    def leave(self) -> None:
        """Tells the application that nobody listens any more."""
        self._gone.set()


class _Exchange:
    """One request, in a task of its own."""

    __slots__ = ("_call", "_task", "_upstream")

    def __init__(self, upstream: "AsgiUpstream", request: UpstreamRequest) -> None:
        self._upstream = upstream
        self._call = _Call(request)
        run = upstream.app(scope_of(request), self._call.receive, self._call.send)
        self._task: asyncio.Task[None] = asyncio.create_task(run)
        self._task.add_done_callback(self._call.returned)

    async def __aenter__(self) -> UpstreamResponse:
        try:
            await self._call.head()
        except BaseException:
            await self._leave(finished=False)
            raise
        return self._call

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._leave(finished=kind is None and self._call.ended)

    async def _leave(self, *, finished: bool) -> None:
        """After a whole answer the application may finish what it does behind it; otherwise it is cancelled.

        Half an answer is also what somebody leaves who wants no more of it.
        """
        self._call.leave()
        if self._task.done():
            return
        if finished:
            _BACKGROUND.add(self._task)
            self._task.add_done_callback(_BACKGROUND.discard)
            return
        self._task.cancel()
        await asyncio.wait((self._task,), timeout=_GRACE_S)


class AsgiUpstream:
    """One service as an ASGI application of this process."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    def exchange(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Runs the application; leaving before it has answered in full cancels it."""
        return _Exchange(self, request)

    async def close(self) -> None:
        """Nothing to give back: the application's own life is its runner's business."""


_BACKGROUND: "set[asyncio.Task[None]]" = set()


def scope_of(request: UpstreamRequest) -> dict[str, Any]:
    """The ASGI scope of a request."""
    raw_path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"in-process"), *request.headers],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
        "state": {},
        "extensions": {},
    }
