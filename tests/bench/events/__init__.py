"""Commit in one service to effect in another, and what an event costs when many others wait before it."""

from tests.bench.faults.stage import SHORT, Stage, stages
from tests.bench.figures import Figure, at_most
from tests.bench.run import Run

from .growth import Windows, consuming_by_depth, relaying_by_depth
from .latency import apart, embedded

BAR_MS = {"log": 100.0, "kafka": 250.0}
GROWTH = 1.25
"""A hundredfold backlog may cost this much more per event: what noise makes of two equal windows on a busy machine, no
more. An index that is scanned instead of searched, or a queue that is sorted, costs tens of times as much."""
_WARM_S, _MEASURED_S = 3.0, 15.0


async def measure(run: Run) -> list[Figure]:
    """Both adapters, each in the processes in which it is run."""
    async with stages(run, SHORT) as adapters:
        return [figure for stage in adapters for figure in await play(run, stage)]


async def play(run: Run, stage: Stage) -> list[Figure]:
    """One adapter."""
    return await _latency(run, stage) + await _growth(run, stage)


async def _latency(run: Run, stage: Stage) -> list[Figure]:
    warm_s, measured_s = (0.5, 0.5) if run.short else (_WARM_S, _MEASURED_S)
    way = embedded if stage.adapter == "log" else apart
    with run.steps.step(f"{stage.adapter}: commit to effect at 200 events/s") as note:
        async with stage.line() as played:
            spread = await way(played, warm_s, measured_s)
        note.text = f"p99 {spread.p99_ms:.0f} ms"
    return [
        Figure(f"commit to effect, {stage.adapter}: p50", spread.p50_ms, "ms"),
        Figure(f"commit to effect, {stage.adapter}: p99", spread.p99_ms, "ms", at_most(BAR_MS[stage.adapter])),
    ]


async def _growth(run: Run, stage: Stage) -> list[Figure]:
    figures: list[Figure] = []
    windows = Windows(1_000, (1, 2, 4), rounds=1) if run.short else Windows(2_000, (1, 10, 100), rounds=11)
    for what, by_depth in (("relaying", relaying_by_depth), ("consuming", consuming_by_depth)):
        name = f"{what} an event, {stage.adapter}"
        with run.steps.step(f"{name}, from backlogs of {', '.join(f'{depth}×' for depth in windows.depths)}") as note:
            once, *more = await by_depth(stage, windows)
            note.text = ", ".join(f"{cost:.0f}" for cost in (once, *more)) + " µs"
        figures.append(Figure(f"{name}: {windows.unit:,} waiting", once, "µs"))
        figures += [
            Figure(f"{name}: {depth}× ÷ 1× waiting", cost / once, "", at_most(GROWTH))
            for depth, cost in zip(windows.depths[1:], more, strict=True)
        ]
    return figures
