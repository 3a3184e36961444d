"""The benchmark of faults plays rows and tells their figures; `tests/faults` plays each row."""

from pathlib import Path

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


def test_one_event_lost_twice_applied_or_out_of_order_misses_a_bar() -> None:
    for worse in (
        Findings(10, 1, 0, 0, 0),
        Findings(10, 0, 1, 0, 0),
        Findings(10, 0, 0, 1, 0),
        Findings(10, 0, 0, 0, 1),
    ):
        assert sum(not figure.held for figure in told("row", Outcome(Findings(10, *worse), witnessed=1))) == 1
