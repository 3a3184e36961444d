"""Why did I wait? A wait cut into stretches, each with what kept it from ending, from what is on record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from crm_contact_center.routing.domain.requirements import Plan, stage_at

_MOST_STRETCHES = 500


class Why(StrEnum):
    """What a stretch of waiting was for."""

    OFFERED = "offered_to_an_agent"
    NOBODY_CAN = "nobody_has_the_skills"
    NOBODY_THERE = "nobody_suitable_signed_in"
    ALL_ENGAGED = "all_suitable_agents_engaged"
    ABOUT_TO_BE_OFFERED = "suitable_agent_free"


@dataclass(frozen=True, slots=True)
class Worker:
    """An agent as the record shows them: skills as of today, states and engagements as they were."""

    skills: Mapping[str, int]
    cap: int
    states: Sequence[tuple[datetime, str]]
    """(Since, state), oldest first."""
    engagements: Sequence[tuple[datetime, datetime | None, int]]
    """(From, until, units of capacity)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the wait in which nothing that mattered changed."""

    since: datetime
    until: datetime
    why: Why
    stage: int
    suitable: int
    free: int
    engaged: int
    on_break: int
    offline: int


def explain(
    plan: Plan,
    workers: Mapping[UUID, Worker],
    offers: Sequence[tuple[datetime, datetime | None]],
    *,
    entered_at: datetime,
    until: datetime,
) -> list[Stretch]:
    """The stretches of a wait, oldest first; neighbours that don't differ are one."""
    stretches: list[Stretch] = []
    for since, end in pairwise(_boundaries(plan, workers, offers, entered_at, until)):
        stage = stage_at(plan, (since - entered_at).total_seconds())
        made = _stretch(plan, stage, workers, offers, since, end)
        if stretches and _alike(stretches[-1], made):
            last = stretches.pop()
            made = _until(last, end)
        stretches.append(made)
    return stretches


def _stretch(
    plan: Plan,
    stage: int,
    workers: Mapping[UUID, Worker],
    offers: Sequence[tuple[datetime, datetime | None]],
    since: datetime,
    until: datetime,
) -> Stretch:
    asked = plan[stage].contact_class
    suitable = [worker for worker in workers.values() if asked.suits(worker.skills)]
    found = Counter(_doing(worker, since, asked.cost) for worker in suitable)
    if any(begins <= since and (ends is None or ends > since) for begins, ends in offers):
        why = Why.OFFERED
    elif not suitable:
        why = Why.NOBODY_CAN
    elif found["offline"] == len(suitable):
        why = Why.NOBODY_THERE
    elif found["free"]:
        why = Why.ABOUT_TO_BE_OFFERED
    else:
        why = Why.ALL_ENGAGED
    return Stretch(
        since, until, why, stage, len(suitable), found["free"], found["engaged"], found["break"], found["offline"]
    )


def _doing(worker: Worker, at: datetime, cost: int) -> str:
    state = "offline"
    for since, entered in worker.states:
        if since > at:
            break
        state = entered
    if state in ("offline", "break"):
        return state
    used = sum(units for begins, ends, units in worker.engagements if begins <= at and (ends is None or ends > at))
    return "free" if state == "available" and used + cost <= worker.cap else "engaged"


def _boundaries(
    plan: Plan,
    workers: Mapping[UUID, Worker],
    offers: Sequence[tuple[datetime, datetime | None]],
    entered_at: datetime,
    until: datetime,
) -> list[datetime]:
    moments = {entered_at + timedelta(seconds=stage.after_s) for stage in plan}
    for begins, ends in offers:
        moments |= {begins, ends or until}
    for worker in workers.values():
        moments |= {since for since, _ in worker.states}
        for begins, ends, _ in worker.engagements:
            moments |= {begins, ends or until}
    inside = sorted(moment for moment in moments if entered_at < moment < until)
    return [entered_at, *inside[:_MOST_STRETCHES], until] if until > entered_at else []


def _alike(one: Stretch, other: Stretch) -> bool:
    return _facts(one) == _facts(other)


def _facts(stretch: Stretch) -> tuple[object, ...]:
    return (
        stretch.why, stretch.stage, stretch.suitable, stretch.free, stretch.engaged, stretch.on_break, stretch.offline
    )  # fmt: skip


def _until(stretch: Stretch, until: datetime) -> Stretch:
    return Stretch(stretch.since, until, *_facts(stretch))  # pyright: ignore[reportArgumentType]
