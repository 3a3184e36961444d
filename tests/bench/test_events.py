"""The benchmark of latency and growth runs over every adapter."""

from pathlib import Path

import pytest
from rich.console import Console

from crm_shared.testing.cluster import Cluster
from crm_suite.steps import Steps

from .events import play
from .faults.stage import SHORT, Stage
from .run import Run


@pytest.mark.parametrize(
    "adapter", ["log", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")])]
)
async def test_every_figure_is_taken(
    adapter: str, cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = await cluster.bare() if adapter == "log" else request.getfixturevalue("kafka") + "?session_timeout_s=6"
    run = Run(Steps(Console(stderr=True)), tmp_path, short=True)
    figures = await play(run, Stage(adapter, cluster, url, tmp_path, SHORT))
    assert len(figures) == 8
    assert all(figure.value > 0 for figure in figures)
