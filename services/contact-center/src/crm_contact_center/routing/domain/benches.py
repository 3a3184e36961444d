"""The floor of the contact center: lines of contacts of one class, benches of agents of one profile, who suits whom."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappush
from itertools import chain

from crm_contact_center.routing.domain.matching import Agent, Contact
from crm_contact_center.routing.domain.requirements import ContactClass, RoutingStrategy

_LONGEST_IDLE, _LEAST_BUSY = RoutingStrategy.LONGEST_IDLE, RoutingStrategy.LEAST_BUSY


@dataclass(slots=True, eq=False)
class Line:
    """The waiting contacts of one class."""

    contact_class: ContactClass
    heap: "list[PlacedEntry]" = field(default_factory=list["PlacedEntry"])
    asked: "list[list[SeatedEntry]]" = field(default_factory=list["list[SeatedEntry]"])
    """The heaps of the benches that suit, by this class's strategy."""
    live: int = 0


@dataclass(slots=True, eq=False)
class Profile:
    """The agents of one set of skills: what they can take, and their benches by room, which every offer changes."""

    skills: Mapping[str, int]
    lines: list[Line] = field(default_factory=list[Line])
    benches: "dict[int, Bench]" = field(default_factory=dict[int, "Bench"])


@dataclass(slots=True, eq=False)
class Bench:
    """The agents of one profile with the same room, ordered by each strategy in use."""

    profile: Profile
    room: int
    heaps: "dict[RoutingStrategy, list[SeatedEntry]]"
    lines: list[Line] = field(default_factory=list[Line])


@dataclass(slots=True, eq=False)
class Placed:
    """A contact in its place. Heap entries with another serial than this are stale; 0 means gone."""

    contact: Contact
    serial: int
    stage: int
    line: Line | None = None
    """None while it waits for its preferred agent alone."""
    cost: int = field(init=False)
    """The units of capacity that it takes."""
    key: float = field(init=False)
    """What it is ordered by: the lower, the sooner its turn."""

    def __post_init__(self) -> None:
        self.enter(self.stage)

    def enter(self, stage: int) -> None:
        """Ask for what this stage of its plan says."""
        contact, self.stage = self.contact, stage
        now = contact.plan[stage]
        self.cost = now.contact_class.cost
        self.key = contact.place_at - contact.boost_s - now.boost_s


@dataclass(slots=True, eq=False)
class Seated:
    """An agent on a bench, as of the last offer. Heap entries with another serial than this are stale; 0 means gone."""

    agent: Agent
    serial: int
    bench: Bench
    room: int
    used: int
    idle_since: float
    last_offered_at: float
    personal: "list[PlacedEntry]" = field(default_factory=list["PlacedEntry"])
    """Those who wait for this very agent."""

    def entry(self, strategy: RoutingStrategy) -> "SeatedEntry":
        """This agent in the order of a strategy: the lower, the sooner asked."""
        if strategy is _LONGEST_IDLE:
            return self.idle_since, 0.0, self.serial, self
        if strategy is _LEAST_BUSY:
            return self.used, self.idle_since, self.serial, self
        return self.last_offered_at, self.idle_since, self.serial, self


PlacedEntry = tuple[float, int, Placed]
SeatedEntry = tuple[float, float, int, Seated]


class Benches:
    """All lines and profiles, each pair compared once."""

    def __init__(self) -> None:
        self.lines: dict[ContactClass, Line] = {}
        self.profiles: dict[tuple[tuple[str, int], ...], Profile] = {}
        self._strategies: set[RoutingStrategy] = set()

    def line(self, contact_class: ContactClass, seated: Iterable[Seated]) -> Line:
        """The line of a class; `seated` is everyone signed in, needed when its strategy is new."""
        line = self.lines.get(contact_class)
        if line is None:
            line = self.lines[contact_class] = Line(contact_class)
            if contact_class.strategy not in self._strategies:
                self._use(contact_class.strategy, seated)
            for profile in self.profiles.values():
                if contact_class.suits(profile.skills):
                    profile.lines.append(line)
                    for bench in profile.benches.values():
                        _pair(line, bench)
        return line

    def bench(self, skills: tuple[tuple[str, int], ...], room: int) -> Bench:
        """The bench of a set of skills with this room."""
        profile = self.profiles.get(skills)
        if profile is None:
            known = dict(skills)
            suited = [line for line in self.lines.values() if line.contact_class.suits(known)]
            profile = self.profiles[skills] = Profile(known, suited)
        return self.beside(profile, room)

    def beside(self, profile: Profile, room: int) -> Bench:
        """The bench of a profile with this room."""
        bench = profile.benches.get(room)
        if bench is None:
            bench = profile.benches[room] = Bench(profile, room, {strategy: [] for strategy in self._strategies})
            for line in profile.lines:
                _pair(line, bench)
        return bench

    @property
    def benches(self) -> Iterator[Bench]:
        """Every bench there is."""
        return chain.from_iterable(profile.benches.values() for profile in self.profiles.values())

    def _use(self, strategy: RoutingStrategy, seated: Iterable[Seated]) -> None:
        self._strategies.add(strategy)
        for bench in self.benches:
            bench.heaps[strategy] = []
        for one in (one for one in seated if one.room):
            heappush(one.bench.heaps[strategy], one.entry(strategy))


def _pair(line: Line, bench: Bench) -> None:
    if bench.room >= line.contact_class.cost:
        line.asked.append(bench.heaps[line.contact_class.strategy])
        bench.lines.append(line)
