"""What every act of the demo shares: who plays, on what data, and what has come of it so far."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from crm_suite.demo.chance import Chance
from crm_suite.demo.door import Door
from crm_suite.demo.figures import Figures
from crm_suite.demo.people import Person
from crm_suite.demo.purchases import Purchase
from crm_suite.steps import Note, Steps

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 500
"""The most items that a bulk route takes."""
SOURCE = "cdnow"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the staff, with a session of their own."""

    id: str
    name: str
    door: Door


@dataclass(slots=True)
class Stage:
    """The stage: acts read what earlier acts left here, and leave what later ones need."""

    admin: Door
    mail: Door
    browser: Door
    chance: Chance
    now: datetime
    purchases: Sequence[Purchase]
    people: dict[int, Person]
    steps: Steps
    figures: Figures
    doors: AsyncExitStack
    url: str
    tenant: str
    staff: dict[str, list[Member]] = field(default_factory=dict[str, list[Member]])
    phones: dict[int, str] = field(default_factory=dict[int, str])
    """Of those who will call."""
    customer_ids: dict[int, str] = field(default_factory=dict[int, str])
    products: dict[str, str] = field(default_factory=dict[str, str])
    segment_id: str = ""
    campaign_id: str = ""
    mails_before: int = 0
    clicked: set[int] = field(default_factory=set[int])
    queue_id: str = ""
    survey_id: str = ""
    star: int = 0
    """The customer whose whole story is told at the end."""
    service: dict[str, Any] = field(default_factory=dict[str, Any])
    overview: dict[str, Any] = field(default_factory=dict[str, Any])
    timeline: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pipeline_id: str = ""

    def member(self, role: str) -> Member:
        """The first of a role."""
        return self.staff[role][0]

    @property
    def callers(self) -> list[int]:
        return sorted({*self.phones, self.star} - {0})

    @property
    def number_of(self) -> dict[str, int]:
        """Customer number by public id."""
        return {public: number for number, public in self.customer_ids.items()}


async def together(
    items: Sequence[Item], work: Callable[[Item], Awaitable[Result]], *, note: Note | None = None, at_once: int = 8
) -> list[Result]:
    """`work` on all items, some at once, the results in the items' order."""
    turns = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with turns:
            result = await work(item)
        if note is not None:
            note.advance(1)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the others failed for the same reason, or were cancelled for it
    return [task.result() for task in tasks]


def batches(groups: Iterable[Sequence[Item]]) -> list[list[Item]]:
    """As few batches as the bulk routes take; a group stays in one, so that nobody ever looks at half of it."""
    made: list[list[Item]] = [[]]
    for group in groups:
        if len(made[-1]) + len(group) > BATCH:
            made.append([])
        made[-1] += group
    return [batch for batch in made if batch]


async def in_bulk(door: Door, path: str, groups: Iterable[Sequence[Any]], note: Note, *, at_once: int = 4) -> list[Any]:
    """All groups' items through a bulk route, the outcomes in the items' order."""

    async def send(batch: list[Any]) -> list[Any]:
        outcomes: list[Any] = (await door.post(path, {"items": batch}))["items"]
        note.advance(len(batch))
        return outcomes

    done = await together(batches(groups), send, at_once=at_once)
    outcomes = [outcome for batch in done for outcome in batch]
    refused = [outcome for outcome in outcomes if outcome["status"] >= 400]
    if refused:
        raise ValueError(f"{path} refused {len(refused)} items; the first: {refused[0]['problem']}")
    return outcomes
