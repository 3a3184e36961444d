"""What all tests share: one PostgreSQL server for the run, and one Kafka for those that ask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kafka import kafka_for_tests

# Whatever endpoints of webhooks tests make, their secrets are sealed with this.
os.environ.setdefault("WEBHOOK_KEYS", "guards nothing in tests")

# On a busy machine an example may take any time; tests that are about time say so and compare it with other work's.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# By default a logged error is drawn with everything that its frames held: for seconds, in which no event loop goes on.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


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
