"""The whole suite with a crowd in it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from tests.plans.crowd import multiply
from tests.tenants.stage import Stage, on_stage
from tests.tenants.world import World, build_world

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.store import Arrived
from crm_shared.ids import new_id
from crm_shared.testing.cluster import Cluster


@dataclass(frozen=True)
class Crowd:
    """A tenant with a thousand of everything beside a neighbour of its size, and the tables that are large."""

    world: World
    large: frozenset[str]


async def keep_an_event(stage: Stage, world: World) -> None:
    """What the gateway's worker would have kept; nobody works here."""
    database = stage.gateway.database
    assert database is not None
    event = Arrived(new_id(), "crm.customer.registered.v1", world.ids["cus"], [], "{}")
    async with database.transaction(world.tenant) as tx:
        await store.keep(tx, [event])


@pytest.fixture(scope="session")
async def crowd(cluster: Cluster) -> AsyncGenerator[Crowd]:
    async with on_stage(cluster) as stage:
        world = await build_world(stage, "crowd")
        await keep_an_event(stage, world)
        yield Crowd(world, await multiply(stage.databases.values(), world.tenant))
