"""Every fault of the backbone's table over both adapters: nothing lost, nothing twice, every key in order."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from tests.bench.figures import Figure, at_least, at_most
from tests.bench.run import Run

from .checker import Outcome
from .killed import between_acknowledgement_and_deletion, between_commit_and_publish, between_database_and_offset
from .membership import storm, wrong_clocks
from .messages import poison, repeated_and_swapped
from .outages import bus_down, database_restarted, long_transactions
from .stage import LONG, SHORT, Stage, stages

Row = Callable[[Stage], Awaitable[Outcome]]

ROWS: dict[str, Row] = {
    "service killed between commit and publish": between_commit_and_publish,
    "relay killed between acknowledgement and deletion": between_acknowledgement_and_deletion,
    "consumer killed between database and offset": between_database_and_offset,
    "bus down": bus_down,
    "records repeated and swapped": repeated_and_swapped,
    "poison": poison,
    "PostgreSQL restarted": database_restarted,
    "rebalance storm": storm,
    "clocks ten minutes off": wrong_clocks,
    "long transactions": long_transactions,
}
"""Eventing's table of faults; each row is played by the short form in the tests and by the long one here."""

LAG_S, DRAIN_S = 5.0, 60.0


async def measure(run: Run) -> list[Figure]:
    """All rows over both adapters."""
    rows = dict(list(ROWS.items())[:1]) if run.short else ROWS
    async with stages(run, SHORT if run.short else LONG) as adapters:
        return [figure for stage in adapters for figure in await play(run, stage, rows)]


async def play(run: Run, stage: Stage, rows: Mapping[str, Row]) -> list[Figure]:
    """These rows over one adapter."""
    figures: list[Figure] = []
    for name, row in rows.items():
        with run.steps.step(f"{stage.adapter}: {name}") as note:
            outcome = await row(stage)
            note.text = f"{outcome.findings.events:,} events"
        figures += told(f"{name}, {stage.adapter}", outcome)
    return figures


def told(name: str, outcome: Outcome) -> list[Figure]:
    """One row's figures, each with its bar."""
    found = outcome.findings
    figures = [
        Figure(f"{name}: lost", found.lost, f"of {found.events:,}", at_most(0)),
        Figure(f"{name}: applied twice", found.applied_twice, "", at_most(0)),
        Figure(f"{name}: order breaks", found.order_breaks, "", at_most(0)),
        Figure(f"{name}: left behind", found.left_behind, "", at_most(0)),
        Figure(f"{name}: signs that it happened", outcome.witnessed, "", at_least(1)),
    ]
    timed = (
        ("other keys' lag", outcome.lag_s, at_most(LAG_S)),
        ("recovery", outcome.recovery_s, None),
        ("drain", outcome.drain_s, at_most(DRAIN_S)),
    )
    figures += [Figure(f"{name}: {what}", value, "s", bar) for what, value, bar in timed if value is not None]
    return figures + [replace(figure, name=f"{name}: {figure.name}") for figure in outcome.more]
