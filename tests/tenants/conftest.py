"""Two companies behind one door, each with at least one of everything."""

from collections.abc import AsyncGenerator

import pytest
from tests.tenants.crossing import Crossing
from tests.tenants.rows import changed, rows_of, tails_of
from tests.tenants.stage import Stage, on_stage
from tests.tenants.world import World, build_world

from crm_shared.testing.cluster import Cluster


@pytest.fixture(scope="session")
async def stage(cluster: Cluster) -> AsyncGenerator[Stage]:
    async with on_stage(cluster) as made:
        yield made


@pytest.fixture(scope="session")
async def alpha(stage: Stage) -> World:
    """Whose data is to stay where it is."""
    return await build_world(stage, "alpha", twice=True)


@pytest.fixture(scope="session")
async def beta(stage: Stage) -> World:
    """A neighbour."""
    return await build_world(stage, "beta")


@pytest.fixture(scope="module")
async def crossing(alpha: World, request: pytest.FixtureRequest) -> AsyncGenerator[Crossing]:
    """A company of this module's own with what belongs to alpha; whatever it tries, nothing of alpha may change."""
    intruder = await build_world(alpha.stage, f"intruder-of-{request.module.__name__.rpartition('_')[2]}")
    before = await rows_of(alpha.stage, alpha.tenant)
    theirs = tails_of(before) - tails_of(await rows_of(alpha.stage, intruder.tenant))
    yield Crossing(alpha, intruder, theirs)
    assert changed(before, await rows_of(alpha.stage, alpha.tenant)) == {}
