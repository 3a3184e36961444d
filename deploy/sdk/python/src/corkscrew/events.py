"""The stream of events: server-sent events that go on after every break where they stopped."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx

from corkscrew.request import Request, Tries
from corkscrew.transport import AsyncTransport, Transport

SILENCE_S = 60.0
"""The server says something more often than this, be it only that it is there; a longer silence is a broken line."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    cursor: str
    """Where a later stream goes on, right after this event."""
    type: str
    data: Any
    """The envelope as it was sent, with the payload in `data["data"]`."""


class EventLines:
    """Reads server-sent events (WHATWG HTML, 9.2) from bytes as they come."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_s: float | None = None
        self._buffer = b""
        self._id = ""
        self._type = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        # A carriage return at the end of a chunk may be the first half of a line's end.
        *lines, self._buffer = (self._buffer + chunk).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if (event := self._line(line.decode())) is not None:
                yield event

    def broken(self) -> None:
        """Half an event is none."""
        self._buffer, self._id, self._type, self._data = b"", self.last_id, "", []

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                self._id = value
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "retry" if value.isdecimal():
                self.retry_s = int(value) / 1000
            case _:
                pass
        return None

    def _dispatch(self) -> Event | None:
        kind, data = self._type, self._data
        self.last_id, self._type, self._data = self._id, "", []
        return Event(self.last_id, kind or "message", json.loads("\n".join(data))) if data else None


class _Stream:
    """What is known of a stream between two connections."""

    def __init__(self, request: Request) -> None:
        self._request = replace(request, timeout_s=request.timeout_s or SILENCE_S)
        self._lines = EventLines()

    @property
    def cursor(self) -> str:
        """After which event it stands."""
        return self._lines.last_id

    def _next(self) -> Request:
        extra = {"accept": "text/event-stream"}
        if self._lines.last_id:
            extra["last-event-id"] = self._lines.last_id
        return replace(self._request, extra=extra)


class EventStream(_Stream):
    """The events, for ever: iterate, and `break` when it is enough."""

    def __init__(self, transport: Transport, request: Request) -> None:
        super().__init__(request)
        self._transport = transport

    def __iter__(self) -> Iterator[Event]:
        tries = Tries(self._next(), self._transport.settings)
        while True:
            arguments = self._next().arguments(self._transport.settings)
            try:
                with self._transport.http.stream(**arguments) as response:
                    if response.status_code >= 400:
                        response.read()
                    wait_s = tries.wait_after_answer_s(response)
                    if wait_s is None:
                        tries.succeeded()
                        for chunk in response.iter_bytes():
                            yield from self._lines.feed(chunk)
            except httpx.TransportError as failure:
                wait_s = tries.wait_after_failure_s(failure)
            self._lines.broken()
            time.sleep(self._lines.retry_s or 0.1 if wait_s is None else wait_s)


class AsyncEventStream(_Stream):
    """The events, for ever: iterate with `async for`, and `break` when it is enough."""

    def __init__(self, transport: AsyncTransport, request: Request) -> None:
        super().__init__(request)
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[Event]:
        tries = Tries(self._next(), self._transport.settings)
        while True:
            arguments = self._next().arguments(self._transport.settings)
            try:
                async with self._transport.http.stream(**arguments) as response:
                    if response.status_code >= 400:
                        await response.aread()
                    wait_s = tries.wait_after_answer_s(response)
                    if wait_s is None:
                        tries.succeeded()
                        async for chunk in response.aiter_bytes():
                            for event in self._lines.feed(chunk):
                                yield event
            except httpx.TransportError as failure:
                wait_s = tries.wait_after_failure_s(failure)
            self._lines.broken()
            await asyncio.sleep(self._lines.retry_s or 0.1 if wait_s is None else wait_s)
