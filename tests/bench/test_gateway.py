"""The gateway's benchmark runs, and says what it should."""

from pathlib import Path

from rich.console import Console

from crm_suite.steps import Steps

from . import gateway
from .run import Run


async def test_the_gateways_benchmark_gives_all_its_figures(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    figures = {each.name: each for each in await gateway.measure(Run(Steps(Console(quiet=True)), tmp_path, short=True))}
    assert str(figures["get a customer: through ÷ straight"].bar) == "≥ 0.7"
    assert sum(figure.bar is not None for figure in figures.values()) == 4
    assert all(figure.value >= 0 for figure in figures.values())
    # No request is tried more than twice; within windows this short, the retries saved up before outweigh the budget.
    assert figures["a failing service: times asked ÷ requests"].value < 2
