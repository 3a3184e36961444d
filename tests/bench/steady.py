"""A steady HTTP load: requests leave at fixed moments, however late the answers to earlier ones are.

A latency counts from the moment the request was meant to leave. A server that stands still for a second is charged with
that second once for every request that fell due meanwhile; a closed loop would have asked once (coordinated omission).
"""

import asyncio
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import cast

import httptools
import uvloop

_PRIORITY = -10
_LEAD_S = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's fate; `due_s` is on the clock of `time.monotonic`."""

    due_s: float
    late_s: float
    """How late the generator itself was to send it, for want of a processor; part of the latency."""
    latency_s: float
    status: int


@dataclass
class Steady:
    """A load that is under way."""

    pipe: Connection
    answers: list[Answer] = field(default_factory=list[Answer])


@asynccontextmanager
async def steady(
    port: int, requests: Sequence[bytes], *, per_second: float, connections: int = 16
) -> AsyncGenerator[Steady]:
    """Send `requests` round and round for as long as the block lasts; the answers are there after it.

    Raises:
        ConnectionError: the server closed a connection amid a request.
    """
    ours, theirs = multiprocessing.Pipe()
    load = Steady(ours)
    arguments = (theirs, port, list(requests), per_second, connections)
    process = multiprocessing.get_context("spawn").Process(target=_send, args=arguments, daemon=True)
    process.start()
    theirs.close()
    try:
        if not await asyncio.to_thread(ours.recv):
            raise ConnectionError("the load could not begin")
        yield load
    finally:
        with suppress(OSError):
            ours.send("stop")
            load.answers = await asyncio.to_thread(ours.recv)
        process.join(10)
    if not load.answers:
        raise ConnectionError("no request was answered")


def _send(pipe: Connection, port: int, requests: Sequence[bytes], per_second: float, connections: int) -> None:
    # Clients of a real installation have processors of their own, so this one doesn't queue behind what it measures.
    with suppress(OSError):
        os.nice(_PRIORITY)
    answers = uvloop.run(_run(pipe, port, requests, per_second, connections))
    os.set_blocking(pipe.fileno(), True)  # the event loop took that away, and there is more to say than fits at once
    pipe.send(answers)


async def _run(
    pipe: Connection, port: int, requests: Sequence[bytes], per_second: float, connections: int
) -> list[Answer]:
    loop = asyncio.get_running_loop()
    desk = _Desk(requests)
    for _ in range(connections):
        await loop.create_connection(lambda: _Line(desk), "127.0.0.1", port)
    stop = asyncio.Event()
    loop.add_reader(pipe.fileno(), stop.set)
    pipe.send(True)
    begun_s, count = time.monotonic() + _LEAD_S, 0
    while not stop.is_set() and desk.broken is None:
        due_s = begun_s + count / per_second
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(due_s - time.monotonic(), 0))
        if not stop.is_set():
            desk.ask(due_s)
            count += 1
    await desk.settled()
    if desk.broken is not None:
        raise desk.broken
    return desk.answers


class _Desk:
    """Due requests, and the lines that are free to carry them."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._nth = 0
        self._waiting: deque[float] = deque()
        self.free: deque[_Line] = deque()
        """The longest idle one goes first, so that none is idle for so long that the server closes it."""
        self.lines = 0
        self.answers: list[Answer] = []
        self.broken: ConnectionError | None = None

    def ask(self, due_s: float) -> None:
        self._waiting.append(due_s)
        self.go_on()

    def go_on(self) -> None:
        while self._waiting and self.free:
            due_s = self._waiting.popleft()
            self.free.popleft().send(self._requests[self._nth % len(self._requests)], due_s)
            self._nth += 1

    async def settled(self) -> None:
        """Wait for the answers that are still out, ten seconds at most."""
        deadline = time.monotonic() + 10
        while (self._waiting or len(self.free) < self.lines) and time.monotonic() < deadline and self.broken is None:
            await asyncio.sleep(0.01)


class _Line(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._due_s = self._sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._desk.lines += 1
        self._desk.free.append(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.broken = ConnectionError("the server closed a connection of the steady load")

    def on_message_complete(self) -> None:
        now_s = time.monotonic()
        status = self._parser.get_status_code()
        self._desk.answers.append(Answer(self._due_s, self._sent_s - self._due_s, now_s - self._due_s, status))
        self._parser = httptools.HttpResponseParser(self)
        self._desk.free.append(self)
        self._desk.go_on()

    def send(self, request: bytes, due_s: float) -> None:
        assert self._transport is not None
        self._due_s, self._sent_s = due_s, time.monotonic()
        self._transport.write(request)


def within(answers: Sequence[Answer], spans: Sequence[tuple[float, float]]) -> list[Answer]:
    """Those whose requests fell due in one of these spans of time."""
    return [each for each in answers if any(start <= each.due_s < end for start, end in spans)]


def percentile_ms(answers: Sequence[Answer], percent: float) -> float:
    """So many per cent of the requests were answered within this."""
    latencies = sorted(each.latency_s for each in answers)
    return latencies[min(len(latencies) - 1, int(len(latencies) * percent / 100))] * 1_000


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    """How many answers of each status."""
    return Counter(each.status for each in answers)
