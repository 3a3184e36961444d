"""Throughput through the gateway ÷ the same endpoint called directly, everything on as in production."""

import random
from contextlib import AsyncExitStack

import orjson
from tests.bench.figures import Bar, Figure, at_least, at_most
from tests.bench.load import request
from tests.bench.run import Run

from . import tiny
from .pairs import Endpoint, Pairs, compare
from .spreading import Spread, spread
from .suite import NEW, Suite, running

BAR = at_least(0.70)
_BARRED = "get a customer"
_WORKERS = 2
_CONNECTIONS = 32


async def measure(run: Run) -> list[Figure]:
    """Pairs of each endpoint; only reading one customer has a bar."""
    customers, pairs, seconds = (200, 1, 0.3) if run.short else (20_000, 5, 2.5)
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        with run.steps.step("suite of two processes each, and its customers"):
            suite = await stack.enter_async_context(running(run.folder, customers=customers, workers=_WORKERS))
        for endpoint in _endpoints(suite):
            bar = BAR if endpoint.name == _BARRED else None
            with run.steps.step(endpoint.name) as note:
                wanted, each_s = (pairs, seconds) if bar else ((pairs + 1) // 2, seconds * 0.6)
                found = await compare(suite, endpoint, pairs=wanted, seconds=each_s, connections=_CONNECTIONS)
                note.text = f"{found.ratio:.2f}"
            figures += _figures(endpoint.name, found, bar)
        with run.steps.step("a service that fails, and the others"):
            get = _endpoints(suite)[0]
            beside = await spread(suite, get, pairs=(pairs + 1) // 2, seconds=seconds, connections=_CONNECTIONS)
    return [*figures, *_beside(beside)]


def _beside(beside: Spread) -> list[Figure]:
    return [
        Figure("others beside a failing service: throughput ÷ else", beside.throughput, "", at_least(1 / 1.5)),
        Figure("others beside a failing service: p99 ÷ else", beside.p99, "", at_most(1.5)),
        Figure("a failing service: times asked ÷ requests", beside.asked, "", at_most(1.2)),
    ]


def _endpoints(suite: Suite) -> list[Endpoint]:
    chosen = random.Random(1).choices(suite.customers, k=2_000)
    body = orjson.dumps(NEW)

    def gets(shown: dict[str, str]) -> list[bytes]:
        return [request("GET", f"/v1/customers/{each}", shown) for each in chosen]

    def lists(shown: dict[str, str]) -> list[bytes]:
        return [request("GET", "/v1/customers?limit=20", shown)]

    def creates(shown: dict[str, str]) -> list[bytes]:
        return [request("POST", "/v1/customers", shown, body)]

    def nothing(shown: dict[str, str]) -> list[bytes]:
        return [request("GET", tiny.PATH, shown)]

    return [
        Endpoint(_BARRED, "customer", gets),
        Endpoint("list 20 customers", "customer", lists),
        Endpoint("create a customer", "customer", creates, status=201),
        Endpoint("no work at all", tiny.NAME, nothing),
    ]


def _figures(name: str, found: Pairs, bar: Bar | None) -> list[Figure]:
    return [
        Figure(f"{name}: through ÷ straight", found.ratio, "", bar),
        Figure(f"{name}: straight", found.of(lambda pair: pair.straight.window.per_second), "/s"),
        Figure(f"{name}: through", found.of(lambda pair: pair.through.window.per_second), "/s"),
        Figure(f"{name}: straight, p50", found.of(lambda pair: pair.straight.window.percentile_ms(50)), "ms"),
        Figure(f"{name}: straight, p99", found.of(lambda pair: pair.straight.window.percentile_ms(99)), "ms"),
        Figure(f"{name}: through, p50", found.of(lambda pair: pair.through.window.percentile_ms(50)), "ms"),
        Figure(f"{name}: through, p99", found.of(lambda pair: pair.through.window.percentile_ms(99)), "ms"),
        Figure(f"{name}: gateway's processor time", found.of(lambda pair: pair.through.gateway_us), "µs/request"),
        Figure(f"{name}: service's, straight", found.of(lambda pair: pair.straight.service_us), "µs/request"),
        Figure(f"{name}: service's, through", found.of(lambda pair: pair.through.service_us), "µs/request"),
        Figure(f"{name}: pairs spoiled by other processes", found.spoiled, ""),
    ]
