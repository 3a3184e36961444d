"""An upgrade under load, in an operator's order: nobody notices, nothing is lost, nothing happens twice.

The release before runs; clients read and write through the gateway. Then come this release's migrations, under the old
code; new workers beside the old; new apis beside the old; the old ones end by SIGTERM; the gateway changes last. Over
the embedded bus in short, over Kafka at full length.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from tests.bench.figures import Figure, at_least, at_most
from tests.bench.run import Run

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.testing.broker import Broker
from crm_suite.topology import GATEWAY

from .clients import Clients
from .outcome import Outcome, applied, outcome_of
from .releases import ROOT, Release, release_before, this_release
from .stage import CUSTOMER, SALES, Process, Stage, embedded_bus

_PROCESSES = ((CUSTOMER, "api"), (CUSTOMER, "worker"), (SALES, "worker"), (GATEWAY, "api"))
_JARS = ROOT / ".cache" / "kafka"


@dataclass(frozen=True, slots=True)
class Size:
    """How many clients there are, how long each rests between rounds of four requests, and how many answers they all
    get in each phase at the least."""

    clients: int
    pause_s: float
    answers: int


LONG = Size(clients=8, pause_s=0.05, answers=400)
SHORT = Size(clients=4, pause_s=0.25, answers=24)


async def measure(run: Run) -> list[Figure]:
    """Plays the upgrade once."""
    size = SHORT if run.short else LONG
    with run.steps.step("the release before, laid down"):
        tree = run.folder / "before"
        tree.mkdir()
        old = release_before(tree)
    async with _stage(run) as stage:
        return await _play(run, stage, old, size)


async def _play(run: Run, stage: Stage, old: Release, size: Size) -> list[Figure]:
    new = this_release()
    with run.steps.step("its databases, its processes"):
        tenant, key = await stage.settle(old)
        api, relaying, consuming, gateway = await asyncio.gather(*(stage.start(old, *each) for each in _PROCESSES))
        stage.doors[CUSTOMER].targets, stage.doors[GATEWAY].targets = [api.port], [gateway.port]
    clients = Clients(f"http://127.0.0.1:{stage.doors[GATEWAY].port}", key, size.clients, size.pause_s)
    clients.start()
    with run.steps.step("new migrations under old code"):
        await clients.go_on(size.answers)
        await stage.migrate(new)
        await clients.go_on(size.answers)
    with run.steps.step("new workers beside old ones"):
        before = await applied(stage.postgres, UUID(tenant))
        workers = await asyncio.gather(*(stage.start(new, *each) for each in _PROCESSES[1:3]))
        await clients.go_on(size.answers)
    with run.steps.step("new api beside the old one, then alone"):
        await _replace(stage, CUSTOMER, old=api, new=new, clients=clients, answers=size.answers)
        await stage.stop(relaying, consuming)
        await clients.go_on(size.answers)
    with run.steps.step("the gateway"):
        await _replace(stage, GATEWAY, old=gateway, new=new, clients=clients, answers=size.answers)
    with run.steps.step("at rest"):
        await clients.stop()
        outcome = await outcome_of(stage, UUID(tenant), clients.names)
        beside = await applied(stage.postgres, UUID(tenant)) - before
        await stage.stop(*workers)
    for told in clients.failed[:5]:
        run.steps.console.print(told, style="red", markup=False)
    return _figures(clients, outcome, beside)


async def _replace(stage: Stage, service: str, *, old: Process, new: Release, clients: Clients, answers: int) -> None:
    """Both answer for a while; then nobody is sent to the old one any more, and it ends."""
    successor = await stage.start(new, service, "api")
    stage.doors[service].targets = [old.port, successor.port]
    await clients.go_on(answers)
    stage.doors[service].targets = [successor.port]
    await stage.stop(old)
    await clients.go_on(answers)


def _figures(clients: Clients, outcome: Outcome, beside: int) -> list[Figure]:
    return [
        Figure("requests answered", clients.answered, "", at_least(1)),
        Figure("requests that failed", len(clients.failed), "", at_most(0)),
        Figure("requests sent again, as their connection had ended", clients.repeated, ""),
        Figure("slowest request", clients.slowest_s * 1_000, "ms"),
        Figure("customers told registered and not there as told", outcome.customers_missing, "", at_most(0)),
        Figure("customers registered twice", outcome.customers_doubled, "", at_most(0)),
        Figure("events", outcome.events, "", at_least(1)),
        Figure("events lost", outcome.events_lost, "", at_most(0)),
        Figure("events published twice", outcome.events_doubled, "", at_most(0)),
        Figure("effects missing or out of order", outcome.effects_missing, "", at_most(0)),
        Figure("keys that wait", outcome.keys_waiting, "", at_most(0)),
        Figure("events applied since new workers stood beside old ones", beside, "", at_least(1)),
        Figure("from the last request to rest", outcome.recovery_s * 1_000, "ms"),
    ]


@asynccontextmanager
async def _stage(run: Run) -> AsyncGenerator[Stage]:
    postgres = EmbeddedPostgres(run.folder / "pg", careless=run.short)
    broker = None if run.short else Broker(_JARS, run.folder / "kafka")
    await asyncio.to_thread(postgres.start)
    stage = Stage(postgres, embedded_bus(postgres), run.folder)
    try:
        if broker is not None:
            await asyncio.to_thread(broker.prepare)
            await asyncio.to_thread(broker.start)
            stage.bus_url = broker.url
        for door in stage.doors.values():
            await door.open()
        yield stage
    finally:
        await stage.close()
        if broker is not None:
            await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(postgres.stop)
