"""Who is offered what: the waiting contacts and the signed-in agents of one shard, in memory.

Contacts of one class (same needs, same cost) and agents of one profile (same skills, same free capacity) are
interchangeable, so compatibility is worked out once per pair of class and profile. Each class keeps a heap by key
(time of queueing less boosts: ageing is linear, so keys never change while a contact waits), each profile one by
every strategy in use. A decision looks at the heads of the compatible heaps only: O(k log n). Entries that
went stale are dropped when they surface. The database is the truth; this index may be thrown away and rebuilt at any
moment.
"""

from collections.abc import Iterable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from uuid import UUID

from crm_contact_center.routing.domain.benches import Benches, Line, Placed, PlacedEntry, Seated, SeatedEntry
from crm_contact_center.routing.domain.matching import Agent, Contact, Match
from crm_contact_center.routing.domain.requirements import stage_at

_COMPACT_FROM = 256


class RoutingIndex:
    """The matcher of one shard. Not thread-safe; every method is told the time by its arguments."""

    def __init__(self) -> None:
        self._serials = count(1)
        self._contacts: dict[UUID, Placed] = {}
        self._agents: dict[UUID, Seated] = {}
        self._floor = Benches()
        self._personal: dict[UUID, list[PlacedEntry]] = {}
        self._timers: list[PlacedEntry] = []
        self._fresh_contacts: dict[Placed, None] = {}
        self._fresh_agents: dict[Seated, None] = {}

    # ---- what is true now

    @property
    def waiting(self) -> int:
        """How many contacts wait."""
        return len(self._contacts)

    @property
    def signed_in(self) -> int:
        """How many agents are known."""
        return len(self._agents)

    @property
    def next_timer(self) -> float | None:
        """When `advance` has something to do next."""
        while self._timers and self._timers[0][2].serial != self._timers[0][1]:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    @property
    def has_fresh(self) -> bool:
        """Whether something has changed that `match` has not looked at yet."""
        return bool(self._fresh_agents or self._fresh_contacts)

    def put_contact(self, contact: Contact, now: float) -> None:
        """A contact waits, or waits with other facts than before; its place follows from when it first queued."""
        self.remove_contact(contact.id)
        stage = stage_at(contact.plan, now - contact.entered_at)
        placed = self._contacts[contact.id] = Placed(contact, next(self._serials), stage)
        self._place(placed, now)

    def remove_contact(self, contact_id: UUID) -> None:
        """A contact waits no more."""
        placed = self._contacts.pop(contact_id, None)
        if placed is not None:
            self._lift(placed)
            placed.serial = 0
            self._fresh_contacts.pop(placed, None)

    def put_agent(self, agent: Agent) -> None:
        """An agent is open for offers, or is so with other facts than before."""
        self._fresh_agents[self._seat(agent)] = None

    def remove_agent(self, agent_id: UUID, now: float) -> None:
        """An agent takes no offers; contacts that waited for this one alone join their class."""
        seated = self._agents.pop(agent_id, None)
        if seated is None:
            return
        seated.serial = 0
        self._fresh_agents.pop(seated, None)
        for _, serial, placed in self._personal.pop(agent_id, ()):
            if placed.serial == serial and placed.line is None:
                self._join_line(placed, now)

    # ---- time passes

    def advance(self, now: float) -> None:
        """Applies the relaxation steps, ends of preferred waits and ends of exclusions that are due."""
        while self._timers and self._timers[0][0] <= now:
            _, serial, placed = heappop(self._timers)
            if placed.serial == serial:
                self._lift(placed)
                placed.serial = next(self._serials)
                placed.stage = stage_at(placed.contact.plan, now - placed.contact.entered_at)
                self._place(placed, now)

    # ---- decisions

    def match(self, now: float, limit: int) -> list[Match]:
        """Up to `limit` decisions; each takes its contact out and its agent's room away.

        Agents who have become free choose first (the longest idle begins), then contacts that have newly come.
        """
        self.advance(now)
        matches: list[Match] = []
        while self.has_fresh and len(matches) < limit:
            if self._fresh_agents:
                for seated in sorted(self._fresh_agents, key=_by_idleness):
                    if len(matches) >= limit:
                        break
                    self._offer_to(seated, now, matches)
            else:
                for placed in sorted(self._fresh_contacts, key=_by_place):
                    if len(matches) >= limit:
                        break
                    self._fresh_contacts.pop(placed, None)
                    if (seated := self._best_agent(placed)) is not None:
                        matches.append(self._take(placed, seated, now))
        return matches

    def _offer_to(self, seated: Seated, now: float, matches: list[Match]) -> None:
        """Finds work for an agent who has become free; who gets it is still up to the queue's strategy."""
        self._fresh_agents.pop(seated, None)
        while seated.serial and (placed := self._best_contact(seated)) is not None:
            matches.append(self._take(placed, self._best_agent(placed) or seated, now))

    def _best_contact(self, seated: Seated) -> Placed | None:
        """Whoever waits for this very agent, else whoever of those the agent can take has waited longest."""
        agent = seated.agent
        if personal := self._personal.get(agent.id):
            entry = _first_contact(personal, None, agent.id)
            if entry is not None and entry[2].cost <= agent.room:
                return entry[2]
        best: PlacedEntry | None = None
        for line in seated.bench.lines:
            heap = line.heap
            if not heap or (best is not None and heap[0][0] > best[0]):
                continue
            entry = _first_contact(heap, line, agent.id)
            if entry is not None and (best is None or entry < best):
                best = entry
        return None if best is None else best[2]

    def _best_agent(self, placed: Placed) -> Seated | None:
        """Who should take this contact, by its queue's strategy."""
        contact, line = placed.contact, placed.line
        if line is None:
            seated = self._agents.get(contact.preferred_agent) if contact.preferred_agent else None
            return seated if seated is not None and seated.agent.room >= placed.cost else None
        best: SeatedEntry | None = None
        for bench in line.benches:
            heap = bench.heaps[line.contact_class.strategy]
            if heap and (entry := _first_agent(heap, contact)) is not None and (best is None or entry < best):
                best = entry
        return None if best is None else best[2]

    # ---- inside

    def _place(self, placed: Placed, now: float) -> None:
        contact = placed.contact
        if contact.preferred_agent is not None and now < contact.preferred_until:
            preferred = self._agents.get(contact.preferred_agent)
            if (
                preferred is not None
                and preferred.agent.id not in contact.excluded
                and contact.plan[placed.stage].contact_class.suits(preferred.bench.skills)
            ):
                heappush(self._personal.setdefault(preferred.agent.id, []), (placed.key, placed.serial, placed))
                heappush(self._timers, (contact.preferred_until, placed.serial, placed))
                self._fresh_contacts[placed] = None
                return
        self._join_line(placed, now)

    def _join_line(self, placed: Placed, now: float) -> None:
        contact = placed.contact
        line = placed.line = self._floor.line(contact.plan[placed.stage].contact_class, self._agents.values())
        line.live += 1
        heappush(line.heap, (placed.key, placed.serial, placed))
        if len(line.heap) > _COMPACT_FROM and len(line.heap) > 2 * line.live:
            line.heap[:] = sorted(entry for entry in line.heap if entry[2].serial == entry[1] and entry[2].line is line)
        if placed.stage + 1 < len(contact.plan):
            due_at = contact.entered_at + contact.plan[placed.stage + 1].after_s
            heappush(self._timers, (due_at, placed.serial, placed))
        if contact.excluded:
            still = {agent_id: until for agent_id, until in contact.excluded.items() if until > now}
            placed.contact = replace(contact, excluded=still)
            for until in still.values():
                heappush(self._timers, (until, placed.serial, placed))
        self._fresh_contacts[placed] = None

    def _lift(self, placed: Placed) -> None:
        if placed.line is not None:
            placed.line.live -= 1
            placed.line = None

    def _seat(self, agent: Agent) -> Seated:
        before = self._agents.get(agent.id)
        if before is not None:
            before.serial = 0
            self._fresh_agents.pop(before, None)
        near = before.bench if before is not None and before.agent.skills == agent.skills else None
        bench = self._floor.bench(agent, near)
        seated = self._agents[agent.id] = Seated(agent, next(self._serials), bench)
        for strategy, heap in bench.heaps.items() if agent.room else ():
            heappush(heap, (seated.order(strategy), seated.serial, seated))
            if len(heap) > _COMPACT_FROM and len(heap) > 4 * len(self._agents):
                heap[:] = sorted(entry for entry in heap if entry[2].serial == entry[1])
        return seated

    def _take(self, placed: Placed, seated: Seated, now: float) -> Match:
        agent = seated.agent
        match = Match(placed.contact, agent, placed.stage)
        cost = placed.cost
        self.remove_contact(placed.contact.id)
        left = self._seat(Agent(agent.id, agent.skills, agent.room - cost, now, agent.used + cost, now))
        if left.agent.room > 0:
            self._fresh_agents[left] = None
        return match


def _first_contact(heap: list[PlacedEntry], line: Line | None, agent_id: UUID) -> PlacedEntry | None:
    """The first live entry whose contact doesn't exclude this agent; stale heads are dropped on the way."""
    skipped: list[PlacedEntry] = []
    found: PlacedEntry | None = None
    while heap:
        entry = heap[0]
        placed = entry[2]
        if placed.serial != entry[1] or placed.line is not line:
            heappop(heap)
        elif placed.contact.excluded and agent_id in placed.contact.excluded:
            skipped.append(heappop(heap))
        else:
            found = entry
            break
    for entry in skipped:
        heappush(heap, entry)
    return found


def _first_agent(heap: list[SeatedEntry], contact: Contact) -> SeatedEntry | None:
    skipped: list[SeatedEntry] = []
    found: SeatedEntry | None = None
    while heap:
        entry = heap[0]
        if entry[2].serial != entry[1]:
            heappop(heap)
        elif contact.excluded and entry[2].agent.id in contact.excluded:
            skipped.append(heappop(heap))
        else:
            found = entry
            break
    for entry in skipped:
        heappush(heap, entry)
    return found


def _by_idleness(seated: Seated) -> tuple[float, int]:
    return seated.agent.idle_since, seated.serial


def _by_place(placed: Placed) -> tuple[float, int]:
    return placed.key, placed.serial


def load(contacts: Iterable[Contact], agents: Iterable[Agent], now: float) -> RoutingIndex:
    """An index built afresh from what the database says."""
    index = RoutingIndex()
    for agent in agents:
        index.put_agent(agent)
    for contact in contacts:
        index.put_contact(contact, now)
    return index
