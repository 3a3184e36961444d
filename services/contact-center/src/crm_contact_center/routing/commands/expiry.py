"""Offers that nobody answered in time."""

from datetime import datetime

from crm_contact_center.agents import commands as agents
from crm_contact_center.agents import store as agent_store
from crm_contact_center.agents.domain import AgentState
from crm_contact_center.changes.store import Subject, note
from crm_contact_center.routing.store import reservations, visits
from crm_shared.db.pool import Tx

EXPIRY = "routing.expiry"
_AT_ONCE = 500


async def expire_offers(tx: Tx, *, now: datetime) -> int:
    """Time out what has run out: the customer keeps the place, the agent who didn't answer is on a break.

    The due row of any batch sweeps all batches, so that one lost row leaves nobody stuck. Says how many it was.
    """
    found = await reservations.expired(tx, now, _AT_ONCE)
    if not found:
        return 0
    locked = await visits.lock_many(tx, [row["visit_id"] for row in found])
    timed_out = await reservations.expire(tx, [row["id"] for row in found], now)
    present = await agent_store.lock_many(tx, {one.agent_id for one in timed_out})
    for one in timed_out:
        visit = locked.get(one.visit_id)
        if visit is not None:
            await visits.back_to_waiting(tx, visit.id, dict(visit.excluded))
        await agent_store.release(tx, one.agent_id, units=one.cost, at=now)
        agent = present[one.agent_id]
        if agent.state is AgentState.AVAILABLE:
            present[one.agent_id] = await agents.move_to(tx, agent, AgentState.BREAK, now=now, reason="missed_offer")
    await note(tx, Subject.VISIT, [one.visit_id for one in timed_out])
    await note(tx, Subject.AGENT, present)
    return len(timed_out)
