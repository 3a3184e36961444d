"""The floor of the contact center: lines of contacts of one class, benches of agents of one profile, who suits whom."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappush
from itertools import chain

from crm_contact_center.routing.domain.matching import Agent, Contact
from crm_contact_center.routing.domain.requirements import ContactClass, RoutingStrategy


@dataclass(slots=True, eq=False)
class Line:
    """The waiting contacts of one class."""

    contact_class: ContactClass
    heap: "list[PlacedEntry]" = field(default_factory=list["PlacedEntry"])
    benches: "list[Bench]" = field(default_factory=list["Bench"])
    live: int = 0


@dataclass(slots=True, eq=False)
class Bench:
    """The agents of one profile, ordered by each strategy in use."""

    skills: Mapping[str, int]
    room: int
    heaps: "dict[RoutingStrategy, list[SeatedEntry]]"
    siblings: "dict[int, Bench]"
    """The benches of the same skills by room, this one among them: an agent's room changes with every offer."""
    lines: list[Line] = field(default_factory=list[Line])


@dataclass(slots=True, eq=False)
class Placed:
    """A contact in its place. Heap entries with another serial than this are stale; 0 means gone."""

    contact: Contact
    serial: int
    stage: int
    line: Line | None = None
    """None while it waits for its preferred agent alone."""

    @property
    def key(self) -> float:
        """What it is ordered by: the lower, the sooner its turn."""
        return self.contact.place_at - self.contact.boost_s - self.contact.plan[self.stage].boost_s

    @property
    def cost(self) -> int:
        """The units of capacity that it takes."""
        return self.contact.plan[self.stage].contact_class.cost


@dataclass(slots=True, eq=False)
class Seated:
    """An agent on a bench; a change makes a new one, and the old one's serial 0."""

    agent: Agent
    serial: int
    bench: Bench

    def order(self, strategy: RoutingStrategy) -> tuple[float, float]:
        """What a strategy orders agents by: the lower, the sooner asked."""
        if strategy is RoutingStrategy.LEAST_BUSY:
            return self.agent.used, self.agent.idle_since
        if strategy is RoutingStrategy.ROUND_ROBIN:
            return self.agent.last_offered_at, self.agent.idle_since
        return self.agent.idle_since, 0.0


PlacedEntry = tuple[float, int, Placed]
SeatedEntry = tuple[tuple[float, float], int, Seated]


class Benches:
    """All lines and benches, each pair compared once."""

    def __init__(self) -> None:
        self.lines: dict[ContactClass, Line] = {}
        self.skill_sets: dict[tuple[tuple[str, int], ...], dict[int, Bench]] = {}
        self._strategies: set[RoutingStrategy] = set()

    def line(self, contact_class: ContactClass, seated: Iterable[Seated]) -> Line:
        """The line of a class; `seated` is everyone signed in, needed when its strategy is new."""
        line = self.lines.get(contact_class)
        if line is None:
            line = self.lines[contact_class] = Line(contact_class)
            if contact_class.strategy not in self._strategies:
                self._use(contact_class.strategy, seated)
            for bench in self.benches:
                _pair(line, bench)
        return line

    def bench(self, agent: Agent, near: Bench | None) -> Bench:
        """The bench of an agent's profile; `near` is where the agent sat before, if the skills are still the same."""
        siblings = self.skill_sets.setdefault(agent.skills, {}) if near is None else near.siblings
        bench = siblings.get(agent.room)
        if bench is None:
            bench = Bench(dict(agent.skills), agent.room, {strategy: [] for strategy in self._strategies}, siblings)
            siblings[agent.room] = bench
            for line in self.lines.values():
                _pair(line, bench)
        return bench

    @property
    def benches(self) -> Iterator[Bench]:
        """Every bench there is."""
        return chain.from_iterable(siblings.values() for siblings in self.skill_sets.values())

    def _use(self, strategy: RoutingStrategy, seated: Iterable[Seated]) -> None:
        self._strategies.add(strategy)
        for bench in self.benches:
            bench.heaps[strategy] = []
        for one in (one for one in seated if one.agent.room):
            heappush(one.bench.heaps[strategy], (one.order(strategy), one.serial, one))


def _pair(line: Line, bench: Bench) -> None:
    if bench.room >= line.contact_class.cost and line.contact_class.suits(bench.skills):
        line.benches.append(bench)
        bench.lines.append(line)
