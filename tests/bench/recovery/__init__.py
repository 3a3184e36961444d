"""The whole suite killed at random moments of its demo: the same totals as an undisturbed run, and nothing twice.

The demo is the suite's client and outlives it, as every client does: it sends again, with the same key, what was not
answered. So do the customers' mail servers, which stand for everything outside.
"""

import asyncio
import random
import sys
from dataclasses import dataclass, field

from rich.console import Console
from tests.bench.figures import Figure, at_most
from tests.bench.run import Run

from crm_suite.demo.play import Theatre, Wish, perform

from .outside import Outside, outside
from .totals import Outcome, outcome_of
from .victim import Victim

_SEED = 1
WAVE = 20
"""Mails in the air at once: what one kill may leave unknown."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played, and how often the suite dies."""

    customers: int
    runs: int
    kills: int


LONG = Size(customers=300, runs=4, kills=3)
SHORT = Size(customers=100, runs=1, kills=1)


@dataclass
class Tally:
    """What all runs came to."""

    kills: int = 0
    ready_s: list[float] = field(default_factory=list[float])
    differing: int = 0
    missing: int = 0
    parked: int = 0
    doubled: int = 0
    most_unknown: int = 0
    applied: int = 0


async def measure(run: Run) -> list[Figure]:
    """Play once undisturbed, then several times with kills, and compare."""
    size = SHORT if run.short else LONG
    tally = Tally()
    async with outside() as world:
        victim = Victim(run.folder, world.settings)
        with run.steps.step("suite started"):
            await victim.start()
        try:
            await _all_runs(run, size, victim, world, tally)
        finally:
            await asyncio.to_thread(victim.stop)
    return _figures(tally)


async def _all_runs(run: Run, size: Size, victim: Victim, world: Outside, tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    wish = Wish(size.customers, _SEED)
    with run.steps.step("undisturbed"):
        began = loop.time()
        reference = await _undisturbed(wish, victim, world, "undisturbed")
        lasted_s = loop.time() - began
    moments = random.Random(_SEED)  # moments, not secrets
    for number in range(1, size.runs + 1):
        with run.steps.step(f"run {number}") as note:
            plan = sorted(moments.uniform(0, lasted_s) for _ in range(size.kills))
            theatre = await victim.theatre(f"killed-{number}", world.page)
            before = world.letterboxes.caught
            outcome = await _disturbed(wish, theatre, victim, plan, tally)
            expected = reference
            lost = outcome.unknown - world.letterboxes.readers_since(before)
            if lost:
                expected = await _undisturbed(wish, victim, world, f"lost-{number}", lost=lost)
            differing = _compare(expected, outcome)
            tally.differing += differing
            tally.missing += outcome.missing
            tally.parked += outcome.parked
            tally.applied += outcome.applied
            tally.most_unknown = max(tally.most_unknown, len(outcome.unknown))
            tally.doubled = sum(count - 1 for count in world.letterboxes.copies().values())
            note.text = f"killed at {', '.join(f'{moment:.1f}' for moment in plan)} s, {differing} totals differ"


async def _undisturbed(
    wish: Wish, victim: Victim, world: Outside, name: str, *, lost: frozenset[str] = frozenset()
) -> Outcome:
    """What the demo comes to when nobody is killed; mails to `lost` addresses are read by nobody."""
    theatre = await victim.theatre(name, world.page)
    world.letterboxes.lost = lost
    try:
        return await outcome_of(await perform(theatre, wish, Console(quiet=True)), victim.home)
    finally:
        world.letterboxes.lost = frozenset()


async def _disturbed(wish: Wish, theatre: Theatre, victim: Victim, plan: list[float], tally: Tally) -> Outcome:
    """The demo, while the suite under it is killed after these seconds of life."""

    async def kill_by_plan() -> None:
        lived_s = 0.0
        for moment in plan:
            await asyncio.sleep(moment - lived_s)
            lived_s = moment
            victim.kill()
            tally.kills += 1
            tally.ready_s.append(await victim.start())

    killing = asyncio.create_task(kill_by_plan())
    try:
        stage = await perform(theatre, wish, Console(quiet=True))
    finally:
        if killing.done():
            killing.result()
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
    return await outcome_of(stage, victim.home)


def _compare(expected: Outcome, outcome: Outcome) -> int:
    differing = expected.differing(outcome)
    for name, (undisturbed, disturbed) in differing.items():
        sys.stderr.write(f"  {name}: {undisturbed} undisturbed, {disturbed} after kills\n")
    return len(differing)


def _figures(tally: Tally) -> list[Figure]:
    ready = sorted(tally.ready_s) or [0.0]
    return [
        Figure("kills of every process, PostgreSQL's too", tally.kills, ""),
        Figure("totals that differ from an undisturbed run", tally.differing, "", at_most(0)),
        Figure("events that a consumer has not applied", tally.missing, "", at_most(0)),
        Figure("keys parked", tally.parked, "", at_most(0)),
        Figure("mails delivered twice", tally.doubled, "", at_most(0)),
        Figure("mails of unknown fate, most in a run", tally.most_unknown, "", at_most(WAVE * LONG.kills)),
        Figure("events applied after kills", tally.applied, ""),
        Figure("restart to first answer, median", ready[len(ready) // 2], "s"),
        Figure("restart to first answer, longest", ready[-1], "s"),
    ]
