"""Offers as the dispatcher commits them: a database with its disk, its lease, its notes and its outbox."""

import time
from dataclasses import dataclass
from uuid import UUID

from tests.bench.disk import Server

from crm_contact_center.agents.commands import NewAgent, create_agent, move_to
from crm_contact_center.agents.domain import AgentState
from crm_contact_center.app import SERVICE
from crm_contact_center.interactions.commands import NewInteraction
from crm_contact_center.interactions.domain import InteractionChannel
from crm_contact_center.routing.commands.intake import Wish, receive
from crm_contact_center.routing.dispatcher import Dispatcher
from crm_shared.clock import SystemClock
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer

from .floor import add_queue, fill, open_the_doors

_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Rush:
    """What a rush of offers took; `cpu_s` of this process, `database_s` of the server's."""

    offers: int
    seconds: float
    cpu_s: float
    database_s: float
    rebuild_s: float

    @property
    def per_second(self) -> float:
        return self.offers / self.seconds


async def rush(server: Server, *, agents: int, waiting: int, tenants: int = 1) -> Rush:
    """Agents come back from their break all at once; everything that can be offered is. Tenants share both equally."""
    everybody, urls = [new_id() for _ in range(tenants)], await server.cluster.database(SERVICE.schema)
    for tenant in everybody:
        await fill(urls.admin, tenant, agents=agents // tenants, waiting=waiting // tenants)
    database = await Database.open(urls.worker, SERVICE.name, size=4, flush=flush_outbox)
    try:
        dispatcher = Dispatcher(database, _CLOCK)
        begun = time.perf_counter()
        for tenant in everybody:
            await dispatcher.dispatch(tenant)
        rebuilt = time.perf_counter() - begun
        for tenant in everybody:
            await open_the_doors(urls.admin, tenant)
        begun, cpu, backends = time.perf_counter(), time.process_time(), server.cpu_s()
        offers = await dispatcher.round()
        while not dispatcher.rests:
            offers += await dispatcher.round()
        seconds = time.perf_counter() - begun
        return Rush(offers, seconds, time.process_time() - cpu, server.cpu_s() - backends, rebuilt)
    finally:
        await database.close()


async def arrivals_ms(server: Server, *, count: int) -> list[float]:
    """From the commit of a contact's arrival to the commit of its offer, for contacts that come one by one; sorted."""
    tenant, urls = new_id(), await server.cluster.database(SERVICE.schema)
    database = await Database.open(urls.worker, SERVICE.name, size=4, flush=flush_outbox)
    took: list[float] = []
    try:
        queue = await add_queue(urls.admin, tenant)
        for _ in range(count // 10 + 1):  # an e-mail takes a tenth of an agent
            await _agent(database, tenant)
        dispatcher = Dispatcher(database, _CLOCK)
        await dispatcher.dispatch(tenant)
        for _ in range(count):
            async with database.transaction(tenant) as tx:
                call = NewInteraction(InteractionChannel.EMAIL, from_address="ann@example.org")
                await receive(tx, Viewer.system(tenant), call, Wish(queue_id=queue), now=_CLOCK.now())
            begun = time.perf_counter()
            if await dispatcher.round() != 1:
                raise RuntimeError("a contact that came alone was not offered at once")
            took.append((time.perf_counter() - begun) * 1_000)
    finally:
        await database.close()
    return sorted(took)


async def _agent(database: Database, tenant: UUID) -> None:
    viewer, now = Viewer.system(tenant), _CLOCK.now()
    async with database.transaction(tenant) as tx:
        made = await create_agent(tx, viewer, NewAgent("Ann"), now=now)
        await move_to(tx, made, AgentState.AVAILABLE, now=now)
