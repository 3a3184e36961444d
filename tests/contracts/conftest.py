"""A company with one of everything, before the real door, for what the contracts promise of it."""

from collections.abc import AsyncGenerator

import pytest
from tests.tenants.stage import Stage, on_stage
from tests.tenants.world import World, build_world

from crm_shared.testing.cluster import Cluster


@pytest.fixture(scope="session")
async def stage(cluster: Cluster) -> AsyncGenerator[Stage]:
    async with on_stage(cluster) as made:
        yield made


@pytest.fixture(scope="module")
async def company(stage: Stage, request: pytest.FixtureRequest) -> World:
    """A company of the module's own."""
    return await build_world(stage, f"company-of-{request.module.__name__.rpartition('_')[2]}")
