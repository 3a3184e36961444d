"""A closed-loop HTTP load: some keep-alive connections, each sending its next request when its last is answered.

A generator of our own, because it has to cost less than what it measures and to be there on every machine: no
installable one is. It runs in a process of its own; both sides of every ratio carry its cost alike.
"""

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import cast

import httptools
import uvloop


@dataclass(frozen=True, slots=True)
class Window:
    """What one window of load saw. `latencies_s` is sorted."""

    seconds: float
    latencies_s: list[float]
    statuses: Counter[int]

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        return self.latencies_s[min(len(self.latencies_s) - 1, int(len(self.latencies_s) * percent / 100))] * 1_000


def request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """One HTTP/1.1 request as it goes over the wire."""
    fields = {"Host": "127.0.0.1", **headers}
    if body:
        fields |= {"Content-Length": str(len(body)), "Content-Type": "application/json"}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def apply(
    port: int | Sequence[int], requests: Sequence[bytes], *, connections: int = 8, seconds: float = 3.0
) -> Window:
    """Send `requests` round and round to 127.0.0.1 for so long; each connection starts at a place of its own.

    Connections are dealt out over several ports in turn.

    Raises:
        ConnectionError: the server closed a connection amid a request.
    """
    ports = [port] if isinstance(port, int) else [*port]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_generator(), _apply, ports, requests, connections, seconds)


@cache
def _generator() -> ProcessPoolExecutor:
    """The processes that windows come from, one for each of those at a time: starting one outlasts a short window."""
    return ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn"))


def _apply(ports: list[int], requests: Sequence[bytes], connections: int, seconds: float) -> Window:
    return uvloop.run(_window(ports, requests, connections, seconds))


async def _window(ports: list[int], requests: Sequence[bytes], connections: int, seconds: float) -> Window:
    loop = asyncio.get_running_loop()
    tally = _Tally()
    started = time.perf_counter()
    callers: list[_Caller] = []
    for nth in range(connections):
        at = nth * len(requests) // connections
        caller = _Caller([*requests[at:], *requests[:at]], tally, until=started + seconds)
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", ports[nth % len(ports)])
        callers.append(caller)
    await asyncio.gather(*(caller.done for caller in callers))
    return Window(time.perf_counter() - started, sorted(tally.latencies_s), tally.statuses)


@dataclass
class _Tally:
    latencies_s: list[float] = field(default_factory=list[float])
    statuses: Counter[int] = field(default_factory=Counter[int])


class _Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Sequence[bytes], tally: _Tally, *, until: float) -> None:
        self._requests, self._tally, self._until = requests, tally, until
        self._next, self._sent_at = 0, 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection amid a request"))

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self._tally.latencies_s.append(now - self._sent_at)
        self._tally.statuses[self._parser.get_status_code()] += 1
        self._parser = httptools.HttpResponseParser(self)
        if now < self._until:
            self._send()
            return
        self.done.set_result(None)
        assert self._transport is not None
        self._transport.close()

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1
