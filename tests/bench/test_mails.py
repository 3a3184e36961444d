"""The benchmark of mails runs, at its smallest."""

from pathlib import Path

from rich.console import Console

from crm_suite.steps import Steps

from .mails import measure
from .run import Run


async def test_every_figure_is_taken(tmp_path: Path) -> None:
    figures = await measure(Run(Steps(Console(stderr=True)), tmp_path, short=True))
    assert len(figures) == 6
    assert all(figure.value > 0 for figure in figures)
