"""What all tests share: one PostgreSQL server for the run."""

from collections.abc import Iterator

import pytest

from crm_shared.testing.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The run's PostgreSQL server."""
    server = Cluster.start()
    yield server
    server.stop()
