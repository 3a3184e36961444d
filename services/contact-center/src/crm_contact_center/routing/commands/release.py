"""Capacity comes back, and agents come back from wrapping up."""

from datetime import datetime

from crm_contact_center.agents import commands as agents
from crm_contact_center.agents import store as agent_store
from crm_contact_center.agents.domain import Agent, AgentState
from crm_contact_center.changes.store import Subject, note
from crm_contact_center.routing.domain.queues import TALKING, Reservation, ReservationState
from crm_contact_center.routing.store import reservations
from crm_shared.db.pool import Tx


async def give_back(tx: Tx, reservation: Reservation, *, now: datetime) -> Agent | None:
    """A reservation has ended for good: its agent has the capacity again, and the dispatcher is told."""
    agent = await agent_store.lock(tx, reservation.agent_id)
    if agent is None:
        return None
    await agent_store.release(tx, agent.id, units=reservation.cost, at=now)
    await note(tx, Subject.AGENT, [agent.id])
    if agent.state is AgentState.WRAPPING:
        others = await reservations.count_of_agent(tx, agent.id, [ReservationState.WRAPPING], but=reservation.id)
        if others == 0:
            return await agents.move_to(tx, agent, AgentState.AVAILABLE, now=now)
    return agent


async def begin_wrapping(tx: Tx, reservation: Reservation, *, now: datetime) -> None:
    """An agent with nobody else on the line is wrapping up; one who still chats with others stays available."""
    agent = await agent_store.lock(tx, reservation.agent_id)
    if agent is None or agent.state is not AgentState.AVAILABLE:
        return
    if await reservations.count_of_agent(tx, agent.id, TALKING, but=reservation.id) == 0:
        await agents.move_to(tx, agent, AgentState.WRAPPING, now=now)
