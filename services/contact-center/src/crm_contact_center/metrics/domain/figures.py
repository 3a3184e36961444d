"""Service figures as numerators and denominators; each ambiguous one in both of its readings.

Times are whole microseconds, so that sums are exact in whatever order they are made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from crm_shared.ids import parse_id

INTERVAL = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NO_QUEUE = UUID(int=0)

Cell = tuple[UUID, str]
"""A queue and a channel."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in a time, in one queue on one channel. Each is counted when it happens, once."""

    offered: int = 0
    repeats: int = 0
    """Of those offered: from customers who had been here within the last days."""
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    abandoned_in_time: int = 0
    withdrawn: int = 0
    wait_answered_us: int = 0
    wait_abandoned_us: int = 0
    handled: int = 0
    talk_us: int = 0
    hold_us: int = 0
    wrap_us: int = 0
    tickets_solved: int = 0
    tickets_kept: int = 0
    """Of those solved: with every promise kept."""

    def __add__(self, other: Self) -> "Counts":
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


COUNTS = tuple(one.name for one in fields(Counts))


@dataclass(frozen=True, slots=True)
class AgentTime:
    """What an agent's time went into; conversations side by side count once."""

    engaged_us: int = 0
    """In conversation or on hold."""
    idle_us: int = 0
    wrap_us: int = 0
    break_us: int = 0

    def __add__(self, other: Self) -> "AgentTime":
        return AgentTime(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of an interaction's history, with the interaction's channel."""

    happening: str
    channel: str
    body: Mapping[str, Any]


def interval_of(at: datetime) -> datetime:
    """The beginning of the interval that an instant lies in."""
    return _EPOCH + (at - _EPOCH) // INTERVAL * INTERVAL


def intervals(since: datetime, until: datetime) -> list[datetime]:
    """The beginnings of all intervals that touch a time."""
    first = interval_of(since)
    return [first + number * INTERVAL for number in range(-(-(until - first) // INTERVAL))]


def recount(facts: Iterable[Fact]) -> dict[Cell, Counts]:
    """The counts that an interaction history comes to: the measure of what is stored."""
    found: dict[Cell, Counts] = {}
    for fact in facts:
        for queue, counts in _counts(fact):
            cell = (parse_id("que", queue) if queue else NO_QUEUE, fact.channel)
            found[cell] = found.get(cell, Counts()) + counts
    return found


def _counts(fact: Fact) -> list[tuple[str | None, Counts]]:
    body = fact.body
    queue: str | None = body.get("queue")
    counted: list[tuple[str | None, Counts]] = []
    match fact.happening:
        case "queued":
            counted.append((queue, Counts(offered=1, repeats=int(bool(body.get("repeat"))))))
        case "answered":
            wait_us = _us(body["wait_s"])
            in_time = int(wait_us <= _us(body["service_level_s"]))
            counted.append((queue, Counts(answered=1, answered_in_time=in_time, wait_answered_us=wait_us)))
        case "abandoned":
            wait_us = _us(body["wait_s"])
            in_time = int(wait_us <= _us(body["service_level_s"]))
            counted.append((queue, Counts(abandoned=1, abandoned_in_time=in_time, wait_abandoned_us=wait_us)))
        case "wrapped":
            counted.append((queue, Counts(wrap_us=_us(body["wrap_s"]))))
        case "ended" if body.get("withdrawn"):
            counted.append((queue, Counts(withdrawn=1)))
        case _:
            pass
    leg: Mapping[str, Any] | None = body.get("leg")
    if leg:
        part = Counts(handled=1, talk_us=_us(leg["talk_s"]), hold_us=_us(leg["hold_s"]))
        counted.append((leg["queue"], part))
    return counted


def agent_time(
    states: Sequence[tuple[datetime, str]],
    conversations: Sequence[tuple[datetime, datetime | None]],
    since: datetime,
    until: datetime,
) -> AgentTime:
    """What an agent did in a time, from the log of states and the conversations' beginnings and ends."""
    talked = _union([(begins, ends or until) for begins, ends in conversations], since, until)
    spent = {"engaged": _length(talked), "idle": 0, "wrapping": 0, "break": 0}
    for number, (entered, state) in enumerate(states):
        left = states[number + 1][0] if number + 1 < len(states) else until
        stretch = _union([(entered, left)], since, until)
        within = _length(stretch)
        overlap = sum(_length(_union(talked, begins, ends)) for begins, ends in stretch)
        if state == "available":
            spent["idle"] += within - overlap
        elif state in ("wrapping", "break"):
            spent[state] += within - overlap
    return AgentTime(spent["engaged"], spent["idle"], spent["wrapping"], spent["break"])


def share(numerator: float, denominator: float) -> float | None:
    """A ratio; None where there is nothing to divide by."""
    return numerator / denominator if denominator else None


def seconds(us: int, count: int) -> float | None:
    """A mean in seconds; None of nothing."""
    return us / count / 1_000_000 if count else None


def _us(value_s: float) -> int:
    return round(value_s * 1_000_000)


def _union(
    stretches: Iterable[tuple[datetime, datetime]], since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """The stretches cut to a time, with what overlaps made one."""
    merged: list[tuple[datetime, datetime]] = []
    for begins, ends in sorted((max(begins, since), min(ends, until)) for begins, ends in stretches):
        if begins >= ends:
            continue
        if merged and begins <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(ends, merged[-1][1])
        else:
            merged.append((begins, ends))
    return merged


def _length(stretches: Iterable[tuple[datetime, datetime]]) -> int:
    return sum((ends - begins) // MICROSECOND for begins, ends in stretches)
