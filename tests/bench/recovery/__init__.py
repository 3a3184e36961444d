"""The whole suite killed at random moments of its demo: the same totals as an undisturbed run, and nothing twice.

The demo is the suite's client and outlives it, as every client does: it sends again, with the same key, what was not
answered. So do the customers' mail servers, which stand for everything outside.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from rich.console import Console
from tests.bench.figures import Figure, at_most
from tests.bench.run import Run

from crm_suite.demo.play import Wish, perform

from .outside import Outside, outside
from .totals import Outcome, outcome_of
from .victim import Victim

_SEED = 1
WAVE = 20
"""Mails in the air at once: what one kill may leave unknown."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played, and how often the suite dies: in some runs at random moments, in one amid a wave of mails."""

    customers: int
    runs: int
    kills: int
    mails: int


LONG = Size(customers=200, runs=3, kills=2, mails=5)
SHORT = Size(customers=100, runs=0, kills=0, mails=2)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """So many steps of the demo done, and some seconds more."""

    steps: int
    more_s: float

    def __str__(self) -> str:
        return f"step {self.steps} + {self.more_s:.1f} s"


class Progress(StringIO):
    """What the demo prints: a line for each step that is done."""

    steps = 0

    def write(self, text: str, /) -> int:
        self.steps += text.count("\N{CHECK MARK}")
        return len(text)


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
    wish = Wish(size.customers, _SEED)
    with run.steps.step("undisturbed"):
        reference, lasted_s = await _undisturbed(wish, victim, world, "undisturbed")
    moments = random.Random(_SEED)  # moments, not secrets
    for number in range(1, size.runs + 1):
        plan = sorted(_moment(moments, lasted_s) for _ in range(size.kills))
        with run.steps.step(f"killed after {', '.join(map(str, plan))}") as note:
            play = _Play(wish, victim, world, tally, f"killed-{number}")
            note.text = await play.compared(reference, _by_plan(victim, plan))
    with run.steps.step(f"killed when mail {size.mails} of a wave arrived") as note:
        play = _Play(wish, victim, world, tally, "amid-mails")
        note.text = await play.compared(reference, _amid_mails(victim, world, size.mails))


def _moment(chance: random.Random, lasted_s: Sequence[float]) -> Moment:
    """Any moment of the demo, as likely as any other; told by its steps, as a busy machine is slower."""
    at_s = chance.uniform(0, sum(lasted_s) * 0.98)
    for steps, seconds in enumerate(lasted_s):
        if at_s < seconds:
            return Moment(steps, at_s)
        at_s -= seconds
    return Moment(len(lasted_s) - 1, 0.0)


async def _undisturbed(
    wish: Wish, victim: Victim, world: Outside, name: str, *, lost: frozenset[str] = frozenset()
) -> tuple[Outcome, Sequence[float]]:
    """What the demo comes to when nobody is killed, and how long each step took; nobody reads mail to `lost`."""
    theatre = await victim.theatre(name, world.page)
    world.letterboxes.lost = lost
    try:
        stage = await perform(theatre, wish, Console(quiet=True))
        return await outcome_of(stage, victim.home), list(stage.steps.taken_s.values())
    finally:
        world.letterboxes.lost = frozenset()


@dataclass(frozen=True, slots=True)
class Playing:
    """How far the demo is, for whoever wants to disturb it."""

    progress: Progress
    over: asyncio.Event
    tally: Tally

    async def restart(self, victim: Victim) -> None:
        """It has just been killed; time until it answers again counts."""
        self.tally.kills += 1
        self.tally.ready_s.append(await victim.start())


Disturbance = Callable[[Playing], Coroutine[Any, Any, None]]


def _by_plan(victim: Victim, plan: Sequence[Moment]) -> Disturbance:
    async def disturb(playing: Playing) -> None:
        for moment in plan:
            while playing.progress.steps < moment.steps and not playing.over.is_set():
                await asyncio.sleep(0.01)
            await asyncio.sleep(moment.more_s)
            if playing.over.is_set():
                return
            victim.kill()
            await playing.restart(victim)

    return disturb


def _amid_mails(victim: Victim, world: Outside, mails: int) -> Disturbance:
    """The worst moment: some of a wave have arrived, and the sender has heard of none."""

    async def disturb(playing: Playing) -> None:
        struck = asyncio.Event()

        def strike() -> None:
            victim.kill()
            struck.set()

        world.letterboxes.strike_after(mails, strike)
        while not struck.is_set() and not playing.over.is_set():
            await asyncio.sleep(0.01)
        if struck.is_set():
            await playing.restart(victim)

    return disturb


@dataclass(frozen=True, slots=True)
class _Play:
    """One disturbed run of the demo, on a tenant of its own."""

    wish: Wish
    victim: Victim
    world: Outside
    tally: Tally
    name: str

    async def compared(self, reference: Outcome, disturb: Disturbance) -> str:
        """Play, compare with what is expected, add to the tally, and say how it went."""
        before = self.world.letterboxes.caught
        outcome = await self._played(disturb)
        lost = outcome.unknown - self.world.letterboxes.readers_since(before)
        if lost:
            # Nobody reads these mails, so that much less comes of the campaign, and nothing else may differ.
            reference, _ = await _undisturbed(self.wish, self.victim, self.world, f"{self.name}-lost", lost=lost)
        differing = _compare(reference, outcome)
        tally = self.tally
        tally.differing += differing
        tally.missing += outcome.missing
        tally.parked += outcome.parked
        tally.applied += outcome.applied
        tally.most_unknown = max(tally.most_unknown, len(outcome.unknown))
        tally.doubled = sum(count - 1 for count in self.world.letterboxes.copies().values())
        return f"{differing} totals differ, {len(outcome.unknown)} mails unknown, {len(lost)} of them lost"

    async def _played(self, disturb: Disturbance) -> Outcome:
        theatre = await self.victim.theatre(self.name, self.world.page)
        playing = Playing(Progress(), asyncio.Event(), self.tally)
        disturbing = asyncio.create_task(disturb(playing))
        try:
            stage = await perform(theatre, self.wish, Console(file=playing.progress))
        finally:
            playing.over.set()
            await disturbing
        return await outcome_of(stage, self.victim.home)


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
