"""The probe service over a real database, for the kernel's tests."""

from collections.abc import AsyncIterator

import pytest

from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import SERVICE


@pytest.fixture(scope="session")
async def kit(cluster: Cluster) -> AsyncIterator[ServiceKit]:
    """The probe service."""
    async with ServiceKit.started(SERVICE, cluster) as started:
        yield started
