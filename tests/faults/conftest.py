"""Every row over every adapter, on the run's own servers."""

from collections.abc import Iterator

import pytest
import structlog
from tests.bench.faults.stage import SHORT, Stage, kafka_url

from crm_shared.observability.logs import configure_logs
from crm_shared.testing.cluster import Cluster

ADAPTERS = [
    pytest.param("log", id="log"),
    pytest.param("kafka", id="kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")]),
]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without it every failing handler costs a second of coloured traceback."""
    before = structlog.get_config()
    configure_logs("CRITICAL")
    yield
    structlog.configure(**before)


@pytest.fixture(params=ADAPTERS)
async def stage(request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One adapter, at the scale of a test."""
    adapter: str = request.param
    url = await cluster.bare() if adapter == "log" else kafka_url(request.getfixturevalue("kafka"))
    return Stage(adapter, cluster, url, tmp_path_factory.mktemp("faults"), SHORT)
