"""The benchmark of faults plays rows and tells their figures; `tests/faults` plays each row."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from crm_shared.testing.cluster import Cluster
from crm_suite.steps import Steps

from .faults import ROWS, play, told
from .faults.checker import Findings, Outcome
from .faults.stage import SHORT, Stage
from .run import Run

EXACT = Findings(events=10, lost=0, applied_twice=0, order_breaks=0, left_behind=0)


async def test_a_row_gives_its_figures(cluster: Cluster, tmp_path: Path) -> None:
    run = Run(Steps(Console(stderr=True)), tmp_path, short=True)
    name, row = next(iter(ROWS.items()))
    figures = await play(run, Stage("log", cluster, await cluster.bare(), tmp_path, SHORT), {name: row})
    assert [figure.name.rpartition(": ")[2] for figure in figures[:3]] == ["lost", "applied twice", "order breaks"]
    assert all(figure.held for figure in figures)


def test_a_fault_that_never_happened_misses_a_bar() -> None:
    assert not all(figure.held for figure in told("row", Outcome(EXACT, witnessed=0)))
    assert all(figure.held for figure in told("row", Outcome(EXACT, witnessed=1)))


@pytest.mark.parametrize(
    "worse",
    [
        replace(EXACT, lost=1),
        replace(EXACT, applied_twice=1),
        replace(EXACT, order_breaks=1),
        replace(EXACT, left_behind=1),
    ],
)
def test_one_event_lost_applied_twice_or_out_of_order_misses_a_bar(worse: Findings) -> None:
    assert sum(not figure.held for figure in told("row", Outcome(worse, witnessed=1))) == 1
