"""Routes of the agent's desk: states, offers with their screen-pop cards, and what is done with them."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Response

from crm_contact_center.agents.schemas import AgentRead
from crm_contact_center.references import AgentId, ReservationId
from crm_contact_center.routing import queries
from crm_contact_center.routing.commands import conversations, presence
from crm_contact_center.routing.schemas import (
    AgentStateChange,
    ReservationFilter,
    ReservationPage,
    ReservationRead,
    ReservationReject,
)
from crm_contact_center.routing.store import reservations as store
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(
    prefix="/v1/reservations", tag="reservations", about="A conversation offered to one agent, who takes it or not."
)
desk = Router(prefix="/v1/agents", tag="agents")


@desk.post("/{agent_id}/state", response_model=AgentRead)
async def set_state(
    agent_id: AgentId, body: AgentStateChange, call: Annotated[Call, needs("agents:write")]
) -> Response:
    """Set an agent's state; an offer in progress is taken back and made to somebody else."""
    return await call.write(
        presence.set_state,
        agent_id,
        presence.Wanted(body.state, body.reason, timedelta(seconds=body.lease_s)),
        answer=AgentRead.of,
    )


@desk.post("/{agent_id}/retire", response_model=AgentRead)
async def retire(agent_id: AgentId, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Retire an agent for good; whatever they had in hand goes back to the queue."""
    return await call.write(presence.retire, agent_id, answer=AgentRead.of)


@desk.get("/{agent_id}/reservations", response_model=ReservationPage)
async def reservations(
    agent_id: AgentId,
    filters: Annotated[ReservationFilter, Query()],
    call: Annotated[Call, needs("agents:read")],
) -> Response:
    """An agent's offers and conversations, newest first; `live=true` gives the desk as it is now."""
    return await call.page(
        queries.reservations_of_agent,
        filters,
        agent_id,
        answer=ReservationRead.at(call.now),
        key=lambda found: (found.created_at, found.id),
    )


@router.get("/{reservation_id}", response_model=ReservationRead)
async def get(reservation_id: ReservationId, call: Annotated[Call, needs("agents:read")]) -> Response:
    """One offer with its screen-pop card; the card is gone once the offer is withdrawn or has run out."""
    return await call.read(store.view, reservation_id, answer=ReservationRead.at(call.now))


@router.post("/{reservation_id}/accept", response_model=ReservationRead)
async def accept(reservation_id: ReservationId, call: Annotated[Call, needs("agents:write")]) -> Response:
    """Accept an offer; the conversation begins."""
    return await call.write(conversations.accept, reservation_id, answer=ReservationRead.at(call.now))


@router.post("/{reservation_id}/reject", response_model=ReservationRead)
async def reject(
    reservation_id: ReservationId, body: ReservationReject, call: Annotated[Call, needs("agents:write")]
) -> Response:
    """Reject an offer; the customer keeps the place, and others are asked."""
    return await call.write(conversations.reject, reservation_id, body.reason, answer=ReservationRead.at(call.now))


@router.post("/{reservation_id}/complete", response_model=ReservationRead)
async def complete(reservation_id: ReservationId, call: Annotated[Call, needs("agents:write")]) -> Response:
    """Complete the wrap-up; the agent is ready for the next customer."""
    return await call.write(conversations.complete, reservation_id, answer=ReservationRead.at(call.now))
