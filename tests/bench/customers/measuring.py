"""The windows: paired and interleaved, so that what the machine does besides falls on all sides alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from tests.bench.customers.ground import Ground, Target, prepared
from tests.bench.customers.questions import QUESTIONS, Question, filtered_lists
from tests.bench.customers.sameness import ensure_same
from tests.bench.figures import Figure, at_least, at_most
from tests.bench.load import Window
from tests.bench.run import Run


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    few: int
    many: int
    seconds: float
    rounds: int
    processes: int


_FULL = Size(100_000, 1_000_000, seconds=1.5, rounds=5, processes=2)  # two, as the peers were measured
_SHORT = Size(500, 1_000, seconds=0.1, rounds=1, processes=1)


async def measure(run: Run) -> list[Figure]:
    size = _SHORT if run.short else _FULL
    figures: list[Figure] = []
    async with prepared(run, size.few, size.many, processes=size.processes) as ground:
        await ensure_same(ground)
        for question in QUESTIONS:
            with run.steps.step(question.name) as note:
                found = await _compared(ground, question, size)
                figures += found
                note.text = ", ".join(f"{figure.value:.2f}" for figure in found[:2])
        with run.steps.step("filtered lists"):
            figures.append(await _filtered(ground.many, size))
    return figures


async def _compared(ground: Ground, question: Question, size: Size) -> list[Figure]:
    targets = {
        "reference": (ground.reference, question.reference),
        "few": (ground.few, question.ours),
        "many": (ground.many, question.ours),
        "alone": (ground.alone, question.ours),
    }
    for target, put in targets.values():  # so that nothing is compiled, planned or read from disk for the first time
        await target.ask(put, question.status, size.seconds / 4)
    windows: dict[str, list[Window]] = {name: [] for name in targets}
    used: dict[str, dict[str, float]] = {}
    for _ in range(size.rounds):
        for name, (target, put) in targets.items():
            window, used[name] = await target.ask(put, question.status, size.seconds)
            windows[name].append(window)
    return [*_figures(question, windows, size), *_costs(question, used)]


def _figures(question: Question, windows: dict[str, list[Window]], size: Size) -> Iterator[Figure]:
    def ratio(above: str, below: str) -> float:
        pairs = zip(windows[above], windows[below], strict=True)
        return median(one.per_second / other.per_second for one, other in pairs)

    def middle(name: str, of: Callable[[Window], float]) -> float:
        return median(of(window) for window in windows[name])

    few, many, name = f"{size.few:,}", f"{size.many:,}", question.name
    yield Figure(f"{name} at {few} ÷ reference", ratio("few", "reference"), "", at_least(question.floor))
    yield Figure(f"{name} at {many} ÷ at {few}", ratio("many", "few"), "", at_least(0.5))
    yield Figure(f"{name}, service alone ÷ reference", ratio("alone", "reference"), "")
    for target, of in (("few", f"{name} at {few}"), ("reference", f"{name}, reference")):
        yield Figure(of, middle(target, lambda window: window.per_second), "/s")
        yield Figure(f"{of}, p99", middle(target, lambda window: window.percentile_ms(99)), "ms")


def _costs(question: Question, used: dict[str, dict[str, float]]) -> Iterator[Figure]:
    for target in ("few", "reference"):
        of = "of the reference" if target == "reference" else "of ours"
        for process, micros in used[target].items():
            yield Figure(f"{question.name}, processor per request {of}: {process}", micros, "µs")


async def _filtered(target: Target, size: Size) -> Figure:
    windows = [(await target.ask(filtered_lists, 200, size.seconds))[0] for _ in range(size.rounds)]
    slow = median(window.percentile_ms(95) for window in windows)
    return Figure(f"filtered list of {size.many:,}, p95", slow, "ms", at_most(100))
