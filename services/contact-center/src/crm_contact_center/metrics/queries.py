"""Figures of a time: kept ones where an interval is closed, measured ones where it is not yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_contact_center.agents import store as agents
from crm_contact_center.interactions import store as interactions
from crm_contact_center.interactions.domain import Happening
from crm_contact_center.metrics import store
from crm_contact_center.metrics.domain.figures import (
    INTERVAL,
    AgentTime,
    Cell,
    Counts,
    Fact,
    agent_time,
    intervals,
    recount,
)
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

_MOST_GAPS = 20
_COUNTED = (
    Happening.QUEUED, Happening.ANSWERED, Happening.ABANDONED, Happening.TRANSFERRED, Happening.REQUEUED,
    Happening.ENDED, Happening.WRAPPED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """The time that figures are wanted of, and of which queue and channel; None is all."""

    since: datetime
    until: datetime
    queue_id: UUID | None
    channel: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of whole intervals, by queue and channel, and of the agents concerned."""

    since: datetime
    until: datetime
    cells: Mapping[Cell, Counts]
    agents: AgentTime


async def figures(tx: Tx, viewer: Viewer, asked: Asked, now: datetime) -> Figures:
    """What happened in a time, widened to whole intervals; what still goes on counts as far as it has got."""
    spans = intervals(asked.since, asked.until)
    begins, ends = spans[0], spans[-1] + INTERVAL
    closed = await store.closed_between(tx, begins, ends)
    gaps = _gaps(spans, closed)
    if len(gaps) > _MOST_GAPS:
        closed, gaps = set[datetime](), [(begins, ends)]
    cells: dict[Cell, Counts] = {}
    for (starts_at, cell), counts in (await store.kept(tx, begins, ends)).items():
        if starts_at in closed:
            cells[cell] = cells.get(cell, Counts()) + counts
    people: dict[UUID, AgentTime] = {}
    for (starts_at, agent_id), time in (await store.kept_agents(tx, begins, ends)).items():
        if starts_at in closed:
            people[agent_id] = people.get(agent_id, AgentTime()) + time
    for gap_begins, gap_ends in gaps:
        for cell, counts in (await store.measure(tx, gap_begins, gap_ends)).items():
            cells[cell] = cells.get(cell, Counts()) + counts
        for agent_id, time in (await measure_agents(tx, gap_begins, min(gap_ends, now))).items():
            people[agent_id] = people.get(agent_id, AgentTime()) + time
    wanted = {
        cell: counts
        for cell, counts in cells.items()
        if asked.queue_id in (None, cell[0]) and asked.channel in (None, cell[1])
    }
    if asked.queue_id is not None:
        concerned = await store.agents_of_queues(tx, [asked.queue_id], begins, ends)
        people = {agent_id: time for agent_id, time in people.items() if agent_id in concerned}
    return Figures(begins, ends, wanted, sum(people.values(), AgentTime()))


async def measure_agents(tx: Tx, since: datetime, until: datetime) -> dict[UUID, AgentTime]:
    """What agents' time went into, from the log of their states and their conversations; those with any."""
    if until <= since:
        return {}
    talked = await store.conversations(tx, since, until)
    states = await agents.state_log(tx, await agents.all_ids(tx), since=since, until=until)
    found = {
        agent_id: agent_time(states.get(agent_id, ()), talked.get(agent_id, ()), since, until)
        for agent_id in {*talked, *states}
    }
    return {agent_id: time for agent_id, time in found.items() if time != AgentTime()}


async def recounted(tx: Tx, since: datetime, until: datetime) -> dict[Cell, Counts]:
    """The same counts once more, from the interactions' append-only history alone."""
    entries = await interactions.happenings(tx, since=since, until=until, kinds=_COUNTED)
    known = await interactions.get_many(tx, {interaction_id for interaction_id, _ in entries})
    return recount(
        Fact(entry.happening.value, known[interaction_id].channel.value, entry.body)
        for interaction_id, entry in entries
    )


def _gaps(spans: Sequence[datetime], closed: set[datetime]) -> list[tuple[datetime, datetime]]:
    """The stretches of intervals that are not closed."""
    gaps: list[tuple[datetime, datetime]] = []
    for starts_at in spans:
        if starts_at in closed:
            continue
        if gaps and gaps[-1][1] == starts_at:
            gaps[-1] = gaps[-1][0], starts_at + INTERVAL
        else:
            gaps.append((starts_at, starts_at + INTERVAL))
    return gaps
