"""What a waiting contact asks of an agent, and how that is relaxed while it waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from crm_shared.errors import Invalid

Skills = Mapping[str, int]
"""Skill (a language is one, too) → level 1…10."""

MAX_LEVEL = 10
PRIORITY_STEP_S = 60
"""One point of priority is worth a minute of waiting: ageing is linear, and so never reorders two who wait."""


class RoutingStrategy(StrEnum):
    """Which of several suitable agents is offered a contact."""

    LONGEST_IDLE = "longest_idle"
    LEAST_BUSY = "least_busy"
    ROUND_ROBIN = "round_robin"


@dataclass(frozen=True, slots=True)
class RelaxationStep:
    """`after_s` seconds after queueing (not after the step before), levels change; None drops a skill."""

    after_s: int
    relax: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    boost_s: int = 0


@dataclass(frozen=True, slots=True)
class ContactClass:
    """All waiting contacts that the same agents can take are of one class."""

    needs: tuple[tuple[str, int], ...]
    cost: int
    strategy: RoutingStrategy

    def suits(self, skills: Skills) -> bool:
        """Whether an agent with these skills meets every minimum."""
        return all(skills.get(skill, 0) >= level for skill, level in self.needs)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a contact asks for from `after_s` on, and by how many seconds it has been moved up since it queued."""

    after_s: int
    contact_class: ContactClass
    boost_s: int


Plan = tuple[Stage, ...]
"""The stages a contact passes while it waits; the first begins at 0."""


def plan(needs: Skills, steps: Sequence[RelaxationStep], *, cost: int, strategy: RoutingStrategy) -> Plan:
    """The stages of a contact with these needs."""
    current, boost_s = dict(needs), 0
    stages = [Stage(0, _class(current, cost, strategy), 0)]
    for step in sorted(steps, key=lambda step: step.after_s):
        for skill, level in step.relax.items():
            if level is None:
                current.pop(skill, None)
            elif skill in current:
                current[skill] = level
        boost_s += step.boost_s
        stages.append(Stage(step.after_s, _class(current, cost, strategy), boost_s))
    return tuple(stages)


def stage_at(plan: Plan, waited_s: float) -> int:
    """The number of the stage that a contact is in after waiting so long."""
    number = 0
    while number + 1 < len(plan) and plan[number + 1].after_s <= waited_s:
        number += 1
    return number


def validate(needs: Skills, steps: Sequence[RelaxationStep]) -> None:
    """Refuses levels out of range and steps that don't follow each other.

    Raises:
        Invalid: with the offending field's pointer.
    """
    for skill, level in needs.items():
        if not 1 <= level <= MAX_LEVEL:
            raise Invalid.field(f"/requirements/{skill}", f"A level is 1 to {MAX_LEVEL}.", code="level_out_of_range")
    for number, step in enumerate(steps):
        for skill, level in step.relax.items():
            if level is not None and not 1 <= level <= MAX_LEVEL:
                raise Invalid.field(
                    f"/steps/{number}/relax/{skill}", f"A level is 1 to {MAX_LEVEL}.", code="level_out_of_range"
                )
    for number, (before, after) in enumerate(pairwise(steps), start=1):
        if after.after_s <= before.after_s:
            raise Invalid.field(
                f"/steps/{number}/after_s", "Each step comes later than the one before.", code="steps_out_of_order"
            )


def _class(needs: Skills, cost: int, strategy: RoutingStrategy) -> ContactClass:
    return ContactClass(tuple(sorted(needs.items())), cost, strategy)
