"""Paired windows: straight to the service, then through the gateway, on a machine that is ours while we measure."""

import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import psutil
from tests.bench.load import Window, apply

from .suite import Suite

_FOREIGN_CORES = 0.25
"""More than this of other processes' work within a window spoils its pair."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is asked: `requests(headers)` gives whole requests, of `service`."""

    name: str
    service: str
    requests: Callable[[dict[str, str]], Sequence[bytes]]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """One window, what the processes took for each of its requests, and what strangers took meanwhile."""

    window: Window
    gateway_us: float
    service_us: float
    postgres_us: float
    foreign_cores: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One window of either way in."""

    straight: Seen
    through: Seen

    @property
    def ratio(self) -> float:
        return self.through.window.per_second / self.straight.window.per_second

    @property
    def clean(self) -> bool:
        return max(self.straight.foreign_cores, self.through.foreign_cores) <= _FOREIGN_CORES


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of one endpoint that count."""

    kept: list[Pair]
    spoiled: int

    @property
    def ratio(self) -> float:
        return median(pair.ratio for pair in self.kept)

    def of(self, what: Callable[[Pair], float]) -> float:
        return median(map(what, self.kept))


async def compare(suite: Suite, endpoint: Endpoint, *, pairs: int, seconds: float, connections: int) -> Pairs:
    """Up to `pairs` clean pairs out of at most twice as many; all of them where none is clean.

    Raises:
        WrongAnswers: not every answer was the expected one.
    """
    made: list[Pair] = []
    while sum(pair.clean for pair in made) < pairs and len(made) < 2 * pairs:
        ways = ("straight", "through") if len(made) % 2 == 0 else ("through", "straight")
        seen = {way: await _window(suite, endpoint, way, seconds, connections) for way in ways}
        made.append(Pair(**seen))
    clean = [pair for pair in made if pair.clean]
    return Pairs(clean or made, len(made) - len(clean))


class WrongAnswers(Exception):
    """A measurement of refusals would be worth nothing."""

    def __init__(self, statuses: Counter[int]) -> None:
        super().__init__(f"answers by status: {dict(statuses)}")


async def _window(suite: Suite, endpoint: Endpoint, way: str, seconds: float, connections: int) -> Seen:
    caller, through = suite.caller, way == "through"
    headers = caller.at_the_door() if through else caller.behind_it(endpoint.service)
    port = suite.ports["gateway" if through else endpoint.service]
    before = _Cpu.of(suite, endpoint.service)
    window = await apply(port, endpoint.requests(headers), connections=connections, seconds=seconds)
    spent = _Cpu.of(suite, endpoint.service).since(before)
    if set(window.statuses) != {endpoint.status}:
        raise WrongAnswers(window.statuses)
    each_us = 1e6 / len(window.latencies_s)
    return Seen(
        window,
        spent.gateway_s * each_us,
        spent.service_s * each_us,
        spent.postgres_s * each_us,
        spent.foreign_s / spent.at_s,
    )


@dataclass(frozen=True, slots=True)
class _Cpu:
    """Processor seconds by whose they are, at a time."""

    at_s: float
    gateway_s: float
    service_s: float
    postgres_s: float
    foreign_s: float

    @classmethod
    def of(cls, suite: Suite, service: str) -> "_Cpu":
        ours = {name: _of_tree(suite.processes[name]) for name in ("gateway", service)}
        postgres = _of_tree(suite.postgres)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = _of_all(_ours(suite)) + ended.ru_utime + ended.ru_stime
        all_ = psutil.cpu_times()
        busy = sum(all_) - all_.idle - getattr(all_, "iowait", 0.0) - getattr(all_, "guest", 0.0)
        return cls(time.perf_counter(), ours["gateway"], ours[service], postgres, busy - own)

    def since(self, then: "_Cpu") -> "_Cpu":
        return _Cpu(
            self.at_s - then.at_s,
            self.gateway_s - then.gateway_s,
            self.service_s - then.service_s,
            self.postgres_s - then.postgres_s,
            self.foreign_s - then.foreign_s,
        )


def _ours(suite: Suite) -> set[psutil.Process]:
    """Every process of this measurement: the suite's, the load generator's, PostgreSQL's."""
    me = psutil.Process()
    return {me, *me.children(recursive=True), suite.postgres, *suite.postgres.children(recursive=True)}


def _of_tree(root: psutil.Process) -> float:
    """Processor seconds of a process and its living children; PostgreSQL's change little while pools hold them."""
    return _of_all({root, *root.children(recursive=True)})


def _of_all(processes: set[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
