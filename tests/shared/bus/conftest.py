"""Both adapters of the bus port, one after the other, for whoever asks for `bus_url` or `bus`."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from crm_shared.bus import kafka_subscription, log_subscription
from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import Bus
from crm_shared.ids import new_id
from crm_shared.testing.bus import Line, laid_line
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE

ADAPTERS = [
    pytest.param("log", id="log"),
    pytest.param("kafka", id="kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")]),
]
# An external broker may refuse to notice a lost member sooner.
KAFKA_SESSION_S = 6 if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") else 2


@dataclass(frozen=True, slots=True)
class Names:
    """Names nobody else uses."""

    token: str

    def topic(self, nth: int = 0) -> str:
        return f"crm.t{nth}-{self.token}"

    def topics(self, count: int) -> list[str]:
        return [self.topic(nth) for nth in range(count)]

    @property
    def group(self) -> str:
        return f"crm.g-{self.token}"


@pytest.fixture
def names() -> Names:
    return Names(new_id().hex[-12:])


@pytest.fixture(scope="session")
async def log_url(cluster: Cluster) -> str:
    return await cluster.bare()


@pytest.fixture(params=ADAPTERS)
def bus_url(request: pytest.FixtureRequest) -> str:
    """Where the bus is, for each adapter."""
    if request.param == "log":
        return request.getfixturevalue("log_url")
    return f"{request.getfixturevalue('kafka')}?session_timeout_s={KAFKA_SESSION_S}"


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    opened = await open_bus(bus_url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def log(log_url: str) -> AsyncIterator[Bus]:
    """The PostgreSQL log only, for what doesn't depend on the adapter."""
    opened = await open_bus(log_url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def line(cluster: Cluster, bus: Bus) -> AsyncIterator[Line]:
    """A line over each adapter."""
    async with laid_line(cluster, SERVICE.schema, bus) as laid:
        yield laid


@pytest.fixture
async def log_line(cluster: Cluster, log: Bus) -> AsyncIterator[Line]:
    """A line over the PostgreSQL log."""
    async with laid_line(cluster, SERVICE.schema, log) as laid:
        yield laid


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that doesn't let go of its partitions loses them after half a second instead of ten."""
    monkeypatch.setattr(log_subscription, "GRACE_S", 0.5)
    monkeypatch.setattr(kafka_subscription, "FINISH_WITHIN_S", 0.5)
