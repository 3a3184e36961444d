"""Routing decisions in memory, and offers committed to disk, with 10,000 agents and 100,000 waiting."""

from tests.bench.disk import server
from tests.bench.figures import Figure, at_least
from tests.bench.run import Run

from .durable import arrivals_ms, rush
from .in_memory import decisions_per_s

AGENTS, WAITING = 10_000, 100_000


async def measure(run: Run) -> list[Figure]:
    """Decisions of the matcher alone, a rush of durable offers, and the wait of a contact that comes alone."""
    shrunk = 50 if run.short else 1
    agents, waiting = AGENTS // shrunk, WAITING // shrunk
    with run.steps.step("Decisions in memory"):
        decisions = decisions_per_s(agents=agents, waiting=waiting, decisions=waiting // 2)
    async with server(run.folder) as database:
        with run.steps.step("A rush of durable offers"):
            seen = await rush(database, agents=agents, waiting=waiting)
        with run.steps.step("A rush at two tenants"):
            two = await rush(database, agents=agents, waiting=waiting, tenants=2)
        with run.steps.step("Contacts that come alone"):
            alone = await arrivals_ms(database, count=500 // shrunk)
    return [
        Figure("decisions in memory, one agent freed at a time", decisions, "/s of CPU", at_least(100_000)),
        Figure("durable offers, one tenant, one dispatcher", seen.per_second, "/s", at_least(10_000)),
        Figure("durable offers, two tenants, one dispatcher", two.per_second, "/s"),
        Figure("processor time of the dispatcher for an offer", seen.cpu_s / seen.offers * 1e6, "µs"),
        Figure("processor time of the database for an offer", seen.database_s / seen.offers * 1e6, "µs"),
        Figure("index of agents and contacts rebuilt after a restart", seen.rebuild_s, "s"),
        Figure("offer of a contact that comes alone, p50", alone[len(alone) // 2], "ms"),
        Figure("offer of a contact that comes alone, p99", alone[int(len(alone) * 0.99)], "ms"),
    ]
