"""Reading queues and waits."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_contact_center.agents import store as agents
from crm_contact_center.calendars import store as calendars
from crm_contact_center.calendars.domain import is_open
from crm_contact_center.routing.domain.explanation import Stretch, Worker, explain
from crm_contact_center.routing.domain.queues import LIVE_VISIT, Queue, Reservation, Visit
from crm_contact_center.routing.domain.requirements import plan
from crm_contact_center.routing.store import queues, reservations, visits
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """What goes on in a queue now."""

    waiting: int
    longest_wait_s: float
    open: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """One wait with its reasons; `ahead` counts those before it, while it lasts."""

    visit: Visit
    queue: Queue
    ahead: int | None
    stretches: list[Stretch]
    offers: list[Reservation]


async def status(tx: Tx, viewer: Viewer, queue_id: UUID, now: datetime) -> QueueStatus | None:
    """What goes on in a queue now."""
    queue = await queues.get(tx, queue_id)
    if queue is None:
        return None
    row = await queues.waiting_in(tx, queue_id)
    hours = await calendars.get(tx, queue.calendar_id) if queue.calendar_id else None
    longest = row["longest_since"]
    return QueueStatus(
        waiting=row["waiting"],
        longest_wait_s=(now - longest).total_seconds() if longest else 0.0,
        open=is_open(hours.hours, now) if hours else True,
    )


async def why_waiting(tx: Tx, viewer: Viewer, interaction_id: UUID, now: datetime) -> list[Explained] | None:
    """All waits of an interaction and what each was for."""
    paid = await visits.of_interaction(tx, interaction_id)
    if not paid:
        return None
    found = await queues.get_many(tx, {visit.queue_id for visit in paid})
    offers: dict[UUID, list[Reservation]] = defaultdict(list)
    for one in await reservations.of_visits(tx, [visit.id for visit in paid]):
        offers[one.visit_id].append(one)
    return [await _explained(tx, visit, found[visit.queue_id], offers[visit.id], now) for visit in paid]


async def _explained(tx: Tx, visit: Visit, queue: Queue, offers: list[Reservation], now: datetime) -> Explained:
    stages = plan(visit.needs, queue.steps, cost=visit.cost, strategy=queue.strategy)
    until = visit.left_at or now
    least = dict(stages[-1].contact_class.needs)
    suitable = await agents.with_skills(tx, least)
    known = await agents.get_many(tx, suitable)
    states = await agents.state_log(tx, suitable, since=visit.entered_at, until=until)
    engaged: dict[UUID, list[tuple[datetime, datetime | None, int]]] = defaultdict(list)
    for one in await reservations.overlapping(tx, suitable, visit.entered_at, until):
        if one.visit_id != visit.id:
            engaged[one.agent_id].append((one.created_at, one.closed_at, one.cost))
    workers = {
        agent_id: Worker(agent.skills, agent.cap, states[agent_id], engaged[agent_id])
        for agent_id, agent in known.items()
    }
    asked = [(one.created_at, one.closed_at or one.accepted_at) for one in offers]
    return Explained(
        visit=visit,
        queue=queue,
        ahead=await visits.ahead_of(tx, visit) if visit.state in LIVE_VISIT else None,
        stretches=explain(stages, workers, asked, entered_at=visit.entered_at, until=until),
        offers=offers,
    )


async def reservations_of_agent(
    tx: Tx, viewer: Viewer, filters: Any, agent_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Reservation]:
    """An agent's reservations, newest first.

    Raises:
        NotFound: there is no such agent.
    """
    if await agents.get(tx, agent_id) is None:
        raise NotFound.of("agent", public_id("agt", agent_id))
    return await reservations.list_of_agent(tx, viewer, filters, agent_id, limit=limit, after=after)
