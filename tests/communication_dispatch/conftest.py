"""The service under test, and a mail server to send to."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete
from tests.communication_dispatch.sink import Sink
from tests.communication_dispatch.world import World

from crm_communication_dispatch.app import SERVICE
from crm_shared.db.tables import due
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit


@pytest.fixture(scope="session")
async def kit(cluster: Cluster) -> AsyncIterator[ServiceKit]:
    async with ServiceKit.started(SERVICE, cluster) as started:
        yield started


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as running:
        yield running


@pytest.fixture
async def world(kit: ServiceKit, sink: Sink) -> AsyncIterator[World]:
    """A tenant of its own, with a mail server."""
    made = World(kit, sink)
    async with kit.client(made.tenant) as made.client:
        yield made
    await made.outbound.close()
    async with kit.transaction(made.tenant) as tx:  # what is left to do is no other test's business
        await tx.run(delete(due))
