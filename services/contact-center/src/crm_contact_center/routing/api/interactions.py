"""Routes by which conversations begin, queue, move on and end."""

from typing import Annotated

from fastapi import Response

from crm_contact_center.interactions.schemas import InteractionRead
from crm_contact_center.references import InteractionId
from crm_contact_center.routing import queries
from crm_contact_center.routing.commands import conversations, intake
from crm_contact_center.routing.schemas import (
    InteractionCreate,
    InteractionEnd,
    InteractionEnqueue,
    InteractionTransfer,
    WaitExplanationRead,
)
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(prefix="/v1/interactions", tag="interactions")


@router.post("", status_code=201, response_model=InteractionRead)
async def start(body: InteractionCreate, call: Annotated[Call, needs("interactions:write")]) -> Response:
    """Start a conversation; the caller is recognised, and waits in the queue that is responsible."""
    return await call.write(intake.receive, body.interaction(), body.wish(), answer=InteractionRead.of)


@router.post("/{interaction_id}/enqueue", response_model=InteractionRead)
async def enqueue(
    interaction_id: InteractionId, body: InteractionEnqueue, call: Annotated[Call, needs("interactions:write")]
) -> Response:
    """Queue an open conversation; it waits for an agent."""
    return await call.write(intake.enqueue, interaction_id, body.wish(), answer=InteractionRead.of)


@router.post("/{interaction_id}/abandon", response_model=InteractionRead)
async def abandon(interaction_id: InteractionId, call: Annotated[Call, needs("interactions:write")]) -> Response:
    """Record that the customer gave up waiting."""
    return await call.write(intake.abandon, interaction_id, answer=InteractionRead.of)


@router.post("/{interaction_id}/end", response_model=InteractionRead)
async def end(
    interaction_id: InteractionId, body: InteractionEnd, call: Annotated[Call, needs("interactions:write")]
) -> Response:
    """End a conversation; its agent wraps up."""
    return await call.write(conversations.end, interaction_id, body.disposition, answer=InteractionRead.of)


@router.post("/{interaction_id}/transfer", response_model=InteractionRead)
async def transfer(
    interaction_id: InteractionId, body: InteractionTransfer, call: Annotated[Call, needs("interactions:write")]
) -> Response:
    """Transfer the customer to another queue or to a colleague."""
    return await call.write(
        conversations.transfer, interaction_id, body.wish(), keep_place=body.keep_place, answer=InteractionRead.of
    )


@router.get("/{interaction_id}/wait", response_model=WaitExplanationRead)
async def wait(interaction_id: InteractionId, call: Annotated[Call, needs("interactions:read")]) -> Response:
    """Explain a wait. Every wait, cut where something changed, with what kept it from ending."""
    return await call.read(queries.why_waiting, interaction_id, call.now, answer=WaitExplanationRead.of)
