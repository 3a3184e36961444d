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
from typing import Any
from uuid import UUID

from crm_contact_center.routing.domain.benches import Benches, Line, Placed, PlacedEntry, Seated, SeatedEntry
from crm_contact_center.routing.domain.matching import Agent, Contact, Match
from crm_contact_center.routing.domain.requirements import stage_at

FreshAgent = tuple[float, int, Seated]

_COMPACT_FROM = 256


class RoutingIndex:
    """The matcher of one shard. Not thread-safe; every method is told the time by its arguments."""

    def __init__(self) -> None:
        self._serials = count(1)
        self._contacts: dict[UUID, Placed] = {}
        self._agents: dict[UUID, Seated] = {}
        self._floor = Benches()
        self._timers: list[PlacedEntry] = []
        self._fresh_contacts: list[PlacedEntry] = []
        self._fresh_agents: list[FreshAgent] = []

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
        return self._timers[0][0] if _trimmed(self._timers) else None

    @property
    def has_fresh(self) -> bool:
        """Whether something has changed that `match` has not looked at yet."""
        return bool(_trimmed(self._fresh_agents) or _trimmed(self._fresh_contacts))

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

    def put_agent(self, agent: Agent) -> None:
        """An agent is open for offers, or is so with other facts than before."""
        seated = self._agents.get(agent.id)
        if seated is None:
            bench = self._floor.bench(agent.skills, agent.room)
            seated = Seated(agent, 0, bench, agent.room, agent.used, agent.idle_since, agent.last_offered_at)
            self._agents[agent.id] = seated
        else:
            if seated.agent.skills is not agent.skills and seated.agent.skills != agent.skills:
                seated.bench = self._floor.bench(agent.skills, agent.room)
            seated.agent, seated.room, seated.used = agent, agent.room, agent.used
            seated.idle_since, seated.last_offered_at = agent.idle_since, agent.last_offered_at
        self._seat(seated)

    def remove_agent(self, agent_id: UUID, now: float) -> None:
        """An agent takes no offers; contacts that waited for this one alone join their class."""
        seated = self._agents.pop(agent_id, None)
        if seated is None:
            return
        seated.serial = 0
        for _, serial, placed in seated.personal:
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
                placed.enter(stage_at(placed.contact.plan, now - placed.contact.entered_at))
                self._place(placed, now)

    # ---- decisions

    def match(self, now: float, limit: int) -> list[Match]:
        """Up to `limit` decisions; each takes its contact out and its agent's room away.

        Agents who have become free choose first (the longest idle begins), then contacts that have newly come.
        """
        self.advance(now)
        matches: list[Match] = []
        fresh_agents, fresh_contacts = self._fresh_agents, self._fresh_contacts
        while len(matches) < limit:
            if fresh_agents:
                entry = heappop(fresh_agents)
                if entry[2].serial == entry[1]:
                    self._offer_to(entry, now, matches, limit)
            elif fresh_contacts:
                _, serial, placed = heappop(fresh_contacts)
                if placed.serial == serial and (seated := self._best_agent(placed)) is not None:
                    matches.append(self._take(placed, seated, now))
            else:
                break
        return matches

    def _offer_to(self, entry: FreshAgent, now: float, matches: list[Match], limit: int) -> None:
        """Finds work for an agent who has become free; who gets it is still up to the queue's strategy."""
        seated = entry[2]
        while (placed := self._best_contact(seated)) is not None:
            if len(matches) >= limit:
                heappush(self._fresh_agents, entry)
                return
            asked = self._best_agent(placed) or seated
            matches.append(self._take(placed, asked, now))
            if asked is seated:
                return  # and is fresh again, with what room is left

    def _best_contact(self, seated: Seated) -> Placed | None:
        """Whoever waits for this very agent, else whoever of those the agent can take has waited longest."""
        agent_id = seated.agent.id
        if seated.personal:
            entry = _first_contact(seated.personal, None, agent_id)
            if entry is not None and entry[2].cost <= seated.room:
                return entry[2]
        best: PlacedEntry | None = None
        for line in seated.bench.lines:
            heap = line.heap
            if not heap or (best is not None and heap[0][0] > best[0]):
                continue
            entry = _first_contact(heap, line, agent_id)
            if entry is not None and (best is None or entry < best):
                best = entry
        return None if best is None else best[2]

    def _best_agent(self, placed: Placed) -> Seated | None:
        """Who should take this contact, by its queue's strategy."""
        contact, line = placed.contact, placed.line
        if line is None:
            seated = self._agents.get(contact.preferred_agent) if contact.preferred_agent else None
            return seated if seated is not None and seated.room >= placed.cost else None
        best: SeatedEntry | None = None
        for heap in line.asked:
            if not heap or (best is not None and heap[0] > best):
                continue
            entry = _first_agent(heap, contact)
            if entry is not None and (best is None or entry < best):
                best = entry
        return None if best is None else best[3]

    # ---- inside

    def _place(self, placed: Placed, now: float) -> None:
        contact = placed.contact
        if contact.preferred_agent is not None and now < contact.preferred_until:
            preferred = self._agents.get(contact.preferred_agent)
            if (
                preferred is not None
                and preferred.agent.id not in contact.excluded
                and contact.plan[placed.stage].contact_class.suits(preferred.bench.profile.skills)
            ):
                entry = (placed.key, placed.serial, placed)
                heappush(preferred.personal, entry)
                heappush(self._timers, (contact.preferred_until, placed.serial, placed))
                heappush(self._fresh_contacts, entry)
                return
        self._join_line(placed, now)

    def _join_line(self, placed: Placed, now: float) -> None:
        contact = placed.contact
        line = placed.line = self._floor.line(contact.plan[placed.stage].contact_class, self._agents.values())
        line.live += 1
        entry = (placed.key, placed.serial, placed)
        heappush(line.heap, entry)
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
        heappush(self._fresh_contacts, entry)

    def _lift(self, placed: Placed) -> None:
        if placed.line is not None:
            placed.line.live -= 1
            placed.line = None

    def _seat(self, seated: Seated) -> None:
        """Puts an agent where their room belongs, and has them looked at; what the heaps held of them is stale."""
        serial = seated.serial = next(self._serials)
        if seated.room <= 0:
            return
        bench = seated.bench
        if bench.room != seated.room:
            bench = seated.bench = self._floor.beside(bench.profile, seated.room)
        for strategy, heap in bench.heaps.items():
            heappush(heap, seated.entry(strategy))
            if len(heap) > _COMPACT_FROM and len(heap) > 4 * len(self._agents):
                heap[:] = sorted(entry for entry in heap if entry[3].serial == entry[2])
        heappush(self._fresh_agents, (seated.idle_since, serial, seated))

    def _take(self, placed: Placed, seated: Seated, now: float) -> Match:
        match = Match(placed.contact, seated.agent, placed.stage)
        seated.room -= placed.cost
        seated.used += placed.cost
        seated.idle_since = seated.last_offered_at = now
        del self._contacts[placed.contact.id]
        self._lift(placed)
        placed.serial = 0
        if seated.room > 0:
            self._seat(seated)
        else:
            seated.serial = next(self._serials)
        return match


def _trimmed(heap: list[tuple[float, int, Any]]) -> bool:
    """Whether a live entry is left, which then is the first."""
    while heap and heap[0][2].serial != heap[0][1]:
        heappop(heap)
    return bool(heap)


def _first_contact(heap: list[PlacedEntry], line: Line | None, agent_id: UUID) -> PlacedEntry | None:
    """The first live entry whose contact doesn't exclude this agent; stale heads are dropped on the way."""
    skipped: list[PlacedEntry] | None = None
    found: PlacedEntry | None = None
    while heap:
        entry = heap[0]
        placed = entry[2]
        if placed.serial != entry[1] or placed.line is not line:
            heappop(heap)
        elif placed.contact.excluded and agent_id in placed.contact.excluded:
            skipped = skipped or []
            skipped.append(heappop(heap))
        else:
            found = entry
            break
    for entry in skipped or ():
        heappush(heap, entry)
    return found


def _first_agent(heap: list[SeatedEntry], contact: Contact) -> SeatedEntry | None:
    """The first live entry whose agent the contact doesn't exclude; stale heads are dropped on the way."""
    skipped: list[SeatedEntry] | None = None
    found: SeatedEntry | None = None
    excluded = contact.excluded
    while heap:
        entry = heap[0]
        if entry[3].serial != entry[2]:
            heappop(heap)
        elif excluded and entry[3].agent.id in excluded:
            skipped = skipped or []
            skipped.append(heappop(heap))
        else:
            found = entry
            break
    for entry in skipped or ():
        heappush(heap, entry)
    return found


def load(contacts: Iterable[Contact], agents: Iterable[Agent], now: float) -> RoutingIndex:
    """An index built afresh from what the database says."""
    index = RoutingIndex()
    for agent in agents:
        index.put_agent(agent)
    for contact in contacts:
        index.put_contact(contact, now)
    return index
