"""A simple request beside the heaviest jobs: how much longer it takes while one of them runs in the same suite.

One steady load reads customers through the gateway from the beginning to the end. Between any two jobs there is a quiet
spell, after every event of the job before has had its effects. The spans in which a job, or what follows from it, is at
work are held against the median of the quiet spells of the same run, since a spell that something else disturbed would
flatter them.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.figures import Figure, at_most
from tests.bench.load import request
from tests.bench.run import Run
from tests.bench.steady import Answer, percentile_ms, steady, within

from .files import customers_and_purchases, newcomers
from .suite import RunningSuite, lags, suite_running
from .work import Desk, Work, import_file

_PER_SECOND = 100.0
_RATIO = 3.0
_SETTLE_S = 1.0
_SHORT_CUSTOMERS, _CUSTOMERS = 400, 20_000
_READ = 200


@dataclass
class Spans:
    """When what was going on."""

    quiet: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    busy: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    rates: dict[str, Figure] = field(default_factory=dict[str, Figure])


async def measure(run: Run) -> list[Figure]:
    """Fill a suite by imports, then run every other job over what they brought; all beside the load."""
    spans = Spans()
    count = _SHORT_CUSTOMERS if run.short else _CUSTOMERS
    customers, purchases, sold = customers_and_purchases(count)
    async with suite_running(run.folder) as suite:
        desk = Desk(suite)
        works = [
            Work(f"import of {count:,} customers", "rows", lambda: import_file(suite.door, "customer", customers)),
            Work(f"import of {sold:,} purchases", "rows", lambda: import_file(suite.door, "purchase", purchases)),
            Work("lifecycles of all customers", "customers", desk.evaluate),
            Work("values of all customers", "customers", desk.rate),
            Work("a segment of all customers", "customers", desk.materialise),
            Work("a campaign's mails", "mails", desk.mail),
            Work("a snapshot of every customer", "customers", desk.republish),
        ]
        await import_file(suite.door, "customer", newcomers(_READ))
        async with steady(suite.port, await _reads(suite), per_second=_PER_SECOND) as load:
            for work in works:
                await _beside(run, suite, work, spans)
            await _quiet(run, spans)
    return _figures(load.answers, spans, lags(run.folder))


async def _reads(suite: RunningSuite) -> list[bytes]:
    """One read each of many customers."""
    found = (await suite.door.get("/v1/customers", limit=_READ))["items"]
    headers = {"Authorization": f"Bearer {suite.api_key}"}
    return [request("GET", f"/v1/customers/{customer['id']}", headers) for customer in found]


async def _quiet(run: Run, spans: Spans) -> None:
    await asyncio.sleep(0.1 if run.short else _SETTLE_S)
    started = time.monotonic()
    await asyncio.sleep(0.5 if run.short else 5)
    spans.quiet.append((started, time.monotonic()))


async def _beside(run: Run, suite: RunningSuite, work: Work, spans: Spans) -> None:
    await _quiet(run, spans)
    with run.steps.step(work.name) as note:
        started = time.monotonic()
        units = await work.run()
        seconds = time.monotonic() - started
        await suite.quiet()
        spans.busy[work.name] = (started, time.monotonic())
        spans.rates[work.name] = Figure(f"{work.name}: throughput", units / seconds, f"{work.unit}/s")
        note.text = f"{units / seconds:,.0f} {work.unit}/s"


def _figures(answers: Sequence[Answer], spans: Spans, notes: Sequence[tuple[float, float]]) -> list[Figure]:
    wrong = sum(each.status != 200 for each in answers)
    quiet = within(answers, spans.quiet)
    quiet_ms = median(percentile_ms(within(answers, [spell]), 99) for spell in spans.quiet)
    figures = [
        Figure("requests not answered with 200", wrong, "", at_most(0)),
        Figure("quiet: p50", percentile_ms(quiet, 50), "ms"),
        Figure("quiet: p99, median of the spells", quiet_ms, "ms"),
        *_lag("quiet", notes, spans.quiet),
    ]
    for name, span in spans.busy.items():
        during = within(answers, [span])
        busy_ms = percentile_ms(during, 99)
        figures += [
            Figure(f"{name}: p99 ÷ quiet p99", busy_ms / quiet_ms, "×", at_most(_RATIO)),
            Figure(f"{name}: p50", percentile_ms(during, 50), "ms"),
            Figure(f"{name}: p99", busy_ms, "ms"),
            *_lag(name, notes, [span]),
            spans.rates[name],
        ]
    late = sorted(each.late_s for each in answers)
    return [*figures, Figure("the load's own lateness, p99", late[len(late) * 99 // 100] * 1_000, "ms")]


def _lag(name: str, notes: Sequence[tuple[float, float]], spans: Sequence[tuple[float, float]]) -> list[Figure]:
    seen = sorted(lag for at, lag in notes if any(start <= at < end for start, end in spans))
    if not seen:
        return []
    return [
        Figure(f"{name}: event loop's lag, p99", seen[len(seen) * 99 // 100] * 1_000, "ms"),
        Figure(f"{name}: event loop's lag, largest", seen[-1] * 1_000, "ms"),
    ]
