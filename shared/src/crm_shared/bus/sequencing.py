"""What to do with each event of a batch, by the sequence of its key: pure rules, no database.

Within a key the epoch comes before the sequence. The next event is applied; a later one waits, and so does everything
behind it; an earlier one that was never seen is an alarm. A snapshot stands for all events up to its sequence: it
replaces and heals. An erasure ends a key's history and waits for nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, cast
from uuid import UUID

import orjson

from crm_shared.bus.port import Delivered
from crm_shared.db.inbox import UNSEEN, KeyState, Position
from crm_shared.db.parking import GAP, WAITS_FOR_SNAPSHOT, ParkedEvent
from crm_shared.events import Envelope, aggregate_of

SNAPSHOT = ".snapshot.v1"
ERASED = ".erased.v1"


class Verdict(Enum):
    """What an event's position means for it."""

    NEXT = auto()
    REPLACES = auto()
    TOO_EARLY = auto()
    STALE = auto()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A delivered record and the event in it; out of sequence, it waits for no other one."""

    delivered: Delivered
    envelope: Envelope
    in_sequence: bool = True

    @property
    def key(self) -> str:
        """The consumer's name of the event's key; aggregate names are unique in the suite."""
        return f"{aggregate_of(self.envelope.type)}:{self.envelope.aggregate_id}"

    @property
    def position(self) -> Position:
        """The event's place in its key's history."""
        return Position(self.envelope.epoch, self.envelope.sequence)

    def parked(self) -> ParkedEvent:
        """The record as it waits."""
        return as_parked(self.delivered, self.key, self.position, event_id=self.envelope.id, type=self.envelope.type)


@dataclass(frozen=True, slots=True)
class Step:
    """One event to apply, and by whom."""

    envelope: Envelope
    projections: bool = True
    reactions: bool = True


@dataclass(slots=True)
class Plan:
    """What a batch of one tenant comes to."""

    rounds: list[list[Step]] = field(default_factory=list[list[Step]])
    waiting: list[Incoming] = field(default_factory=list[Incoming])
    positions: dict[str, Position] = field(default_factory=dict[str, Position])
    newly_parked: dict[str, str] = field(default_factory=dict[str, str])
    healing: set[str] = field(default_factory=set[str])
    stale: list[Incoming] = field(default_factory=list[Incoming])

    @property
    def steps(self) -> int:
        """How many events are to be applied."""
        return sum(len(steps) for steps in self.rounds)


def replaces(event_type: str) -> bool:
    """Whether an event of this type stands for all before it."""
    return event_type.endswith((SNAPSHOT, ERASED))


def judge(at: Position, position: Position, event_type: str) -> Verdict:
    """What an event at `position` means for a key that has come as far as `at`."""
    if event_type.endswith(ERASED):
        return Verdict.REPLACES
    if event_type.endswith(SNAPSHOT):
        # A snapshot of the very state we have is applied again: so a projection is rebuilt while everything runs.
        return Verdict.REPLACES if position >= at else Verdict.STALE
    if position <= at:
        return Verdict.STALE
    is_next = position.seq == at.seq + 1 if position.epoch == at.epoch else position.seq == 1
    return Verdict.NEXT if is_next else Verdict.TOO_EARLY


def step_of(envelope: Envelope) -> Step:
    """How an event that is applied in its turn takes effect; a snapshot tells no news, so nothing reacts to it."""
    return Step(envelope, reactions=not envelope.type.endswith(SNAPSHOT))


def plan(batch: Iterable[Incoming], states: Mapping[str, KeyState]) -> Plan:
    """Sort a batch into rounds: the n-th round has the n-th applicable event of each key, so its keys are distinct."""
    result = Plan()
    current = dict(states)
    depth: dict[str, int] = {}
    for item in batch:
        key = item.key
        state = current.get(key, KeyState())
        verdict = judge(state.position, item.position, item.envelope.type) if item.in_sequence else Verdict.NEXT
        if state.parked:
            _wait(result, item, key, verdict)
        elif verdict in {Verdict.NEXT, Verdict.REPLACES}:
            nth = depth.get(key, 0)
            depth[key] = nth + 1
            if nth == len(result.rounds):
                result.rounds.append([])
            result.rounds[nth].append(step_of(item.envelope))
            if item.in_sequence:
                reached = max(state.position, item.position)
                current[key] = replace(state, position=reached)
                result.positions[key] = reached
        elif verdict is Verdict.STALE:
            result.stale.append(item)
        else:
            first_sight = state.position == UNSEEN or item.position.epoch > state.position.epoch
            result.newly_parked[key] = WAITS_FOR_SNAPSHOT if first_sight else GAP
            result.waiting.append(item)
            current[key] = replace(state, parked=True)
    return result


def _wait(result: Plan, item: Incoming, key: str, verdict: Verdict) -> None:
    if verdict is Verdict.STALE:
        result.stale.append(item)
        return
    result.waiting.append(item)
    if verdict is not Verdict.TOO_EARLY:
        result.healing.add(key)


def as_parked(delivered: Delivered, key: str, position: Position, *, event_id: UUID, type: str) -> ParkedEvent:
    """A delivered record in the form in which it waits."""
    return ParkedEvent(
        key=key,
        position=position,
        event_id=event_id,
        type=type,
        topic=delivered.topic,
        partition=delivered.partition,
        offset=delivered.offset,
        raw=delivered.value,
        headers=orjson.dumps(dict(delivered.headers)).decode(),
    )


def mentioned_ids(data: Any) -> Sequence[str]:
    """The public ids at the top level of an event's data: fields called `…_id`."""
    if not isinstance(data, dict):
        return ()
    fields = cast("dict[str, Any]", data)
    return [value for name, value in fields.items() if name.endswith("_id") and isinstance(value, str)]
