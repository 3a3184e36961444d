"""The whole suite with a crowd in it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from tests.plans.crowd import multiply
from tests.tenants.stage import on_stage
from tests.tenants.world import World, build_world

from crm_shared.testing.cluster import Cluster


@dataclass(frozen=True)
class Crowd:
    """A tenant with a thousand of everything beside a neighbour of its size, and the tables that are large."""

    world: World
    large: frozenset[str]


@pytest.fixture(scope="session")
async def crowd(cluster: Cluster) -> AsyncGenerator[Crowd]:
    async with on_stage(cluster) as stage:
        world = await build_world(stage, "crowd")
        yield Crowd(world, await multiply(stage.databases.values(), world.tenant))
