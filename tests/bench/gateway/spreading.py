"""What a failing service costs the others: their throughput beside it, and how often it is asked itself."""

import asyncio
from dataclasses import dataclass
from statistics import median

import httpx
from tests.bench.load import Window, apply, request

from . import tiny
from .pairs import Endpoint
from .suite import Suite

_CONNECTIONS = 4
_FAILING = f"{tiny.PATH}/failing"


@dataclass(frozen=True, slots=True)
class Spread:
    """What others saw beside a failing service ÷ beside the same one well; how often it was asked ÷ requests sent."""

    throughput: float
    p99: float
    asked: float


async def spread(suite: Suite, endpoint: Endpoint, *, pairs: int, seconds: float, connections: int) -> Spread:
    """Load on `endpoint` through the door, and beside it some on the tiny service, well and failing in turn."""
    ratios: list[tuple[float, float]] = []
    sent = 0
    before = await _asked(suite)
    for _ in range(pairs):
        well, _ = await _beside(suite, endpoint, tiny.PATH, seconds, connections)
        ill, answered = await _beside(suite, endpoint, _FAILING, seconds, connections)
        sent += answered
        ratios.append((ill.per_second / well.per_second, ill.percentile_ms(99) / well.percentile_ms(99)))
        await _well_again(suite)
    asked = (await _asked(suite) - before) / sent
    return Spread(median(each[0] for each in ratios), median(each[1] for each in ratios), asked)


async def _beside(suite: Suite, endpoint: Endpoint, path: str, seconds: float, connections: int) -> tuple[Window, int]:
    shown, port = suite.caller.at_the_door(), suite.ports["gateway"]
    others, these = await asyncio.gather(
        apply(port, endpoint.requests(shown), connections=connections, seconds=seconds),
        apply(port, [request("GET", path, shown)], connections=_CONNECTIONS, seconds=seconds),
    )
    if set(others.statuses) != {endpoint.status}:
        raise RuntimeError(f"the others' answers by status: {dict(others.statuses)}")
    return others, len(these.latencies_s)


async def _well_again(suite: Suite) -> None:
    """Until the probes of all processes have found the service well, which it is on its other route."""
    base, in_a_row = f"http://127.0.0.1:{suite.ports['gateway']}", 0
    async with asyncio.timeout(60):
        while in_a_row < 20:
            async with httpx.AsyncClient(base_url=base, headers=suite.caller.at_the_door()) as http:
                well = (await http.get(tiny.PATH)).status_code == 200
            in_a_row = in_a_row + 1 if well else 0
            await asyncio.sleep(0 if well else 0.2)


async def _asked(suite: Suite) -> float:
    """How often the failing route was asked, as its service counted."""
    async with httpx.AsyncClient() as http:
        shown = (await http.get(f"http://127.0.0.1:{suite.ports[tiny.NAME]}/metrics")).text
    lines = [line for line in shown.splitlines() if line.startswith("crm_http_requests_total") and _FAILING in line]
    return sum(float(line.split()[-1]) for line in lines)
