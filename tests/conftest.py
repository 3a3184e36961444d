"""What all tests share: one PostgreSQL server for the run, and one Kafka for those that ask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kafka import kafka_for_tests

# Whatever endpoints of webhooks tests make, their secrets are sealed with this.
os.environ.setdefault("WEBHOOK_KEYS", "guards nothing in tests")

# On a busy machine an example may take any time; tests that are about time say so and compare it with other work's.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The run's PostgreSQL server."""
    server = Cluster.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The URL of a real Kafka; tests that ask for it are marked `kafka` and belong to the xdist group of that name."""
    with kafka_for_tests(Path(__file__).parent.parent / ".cache" / "kafka") as url:
        yield url
