"""The benchmark of routing runs, at its smallest."""

from pathlib import Path

from rich.console import Console

from crm_suite.steps import Steps

from .routing import measure
from .run import Run


async def test_every_figure_is_taken(tmp_path: Path) -> None:
    figures = await measure(Run(Steps(Console(stderr=True)), tmp_path, short=True))
    assert len(figures) == 8
    # The database's processor time is told in ticks of ten milliseconds: so little work may take none.
    assert all(figure.value > 0 for figure in figures if "of the database" not in figure.name)
