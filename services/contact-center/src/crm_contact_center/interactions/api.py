"""Routes of conversations. Beginning, queueing and ending them are routing's routes."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from crm_contact_center.interactions import commands, queries, store
from crm_contact_center.interactions.domain import Happening
from crm_contact_center.interactions.schemas import (
    DemandCreate,
    DemandRead,
    HappeningRead,
    InteractionDetail,
    InteractionFilter,
    InteractionHistoryFilter,
    InteractionHistoryPage,
    InteractionPage,
    InteractionRead,
    InteractionUpdate,
    MessageCreate,
    page_key,
)
from crm_contact_center.references import InteractionId
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(
    prefix="/v1/interactions",
    tag="interactions",
    about="Conversations on any channel: queued, answered, transferred, ended.",
)


@router.get("", response_model=InteractionPage)
async def list(
    filters: Annotated[InteractionFilter, Query()], call: Annotated[Call, needs("interactions:read")]
) -> Response:
    """Conversations, newest first; a customer's include those under ids merged into theirs."""
    return await call.page(queries.list_interactions, filters, answer=InteractionRead.of, key=page_key)


@router.get("/{interaction_id}", response_model=InteractionDetail)
async def get(interaction_id: InteractionId, call: Annotated[Call, needs("interactions:read")]) -> Response:
    """One conversation with its legs and participants."""
    return await call.read(store.view, interaction_id, answer=InteractionDetail.whole)


@router.patch("/{interaction_id}", response_model=InteractionRead)
async def update(
    interaction_id: InteractionId, body: InteractionUpdate, call: Annotated[Call, needs("interactions:write")]
) -> Response:
    """Change whose conversation it is, or what it is about."""
    changes = body.model_dump(exclude_unset=True)
    return await call.write(
        commands.identify, interaction_id, changes, expected=call.if_match(), answer=InteractionRead.of
    )


@router.get("/{interaction_id}/events", response_model=InteractionHistoryPage)
async def events(
    interaction_id: InteractionId,
    filters: Annotated[InteractionHistoryFilter, Query()],
    call: Annotated[Call, needs("interactions:read")],
) -> Response:
    """What happened in a conversation, in order: messages, holds, transfers, dispositions."""
    return await call.page(
        queries.transcript, filters, interaction_id, answer=HappeningRead.of, key=lambda entry: (entry.sequence,)
    )


@router.post("/{interaction_id}/messages", status_code=201, response_model=HappeningRead)
async def say(
    interaction_id: InteractionId, body: MessageCreate, call: Annotated[Call, needs("interactions:write")]
) -> Response:
    """Add a message, a note, a key press or where a recording lies."""
    return await call.write(commands.say, interaction_id, Happening(body.kind), body.body(), answer=HappeningRead.of)


@router.post("/{interaction_id}/hold", response_model=InteractionRead)
async def hold(interaction_id: InteractionId, call: Annotated[Call, needs("interactions:write")]) -> Response:
    """Hold a conversation; the customer waits while the agent looks something up."""
    return await call.write(commands.hold, interaction_id, answer=InteractionRead.of)


@router.post("/{interaction_id}/resume", response_model=InteractionRead)
async def resume(interaction_id: InteractionId, call: Annotated[Call, needs("interactions:write")]) -> Response:
    """Resume a conversation that was on hold."""
    return await call.write(commands.resume, interaction_id, answer=InteractionRead.of)


@router.post("/{interaction_id}/demands", status_code=201, response_model=DemandRead)
async def demand(
    interaction_id: InteractionId, body: DemandCreate, call: Annotated[Call, needs("interactions:write")]
) -> Response:
    """Note that the customer wants to buy something; sales makes a lead of it."""

    def answer(demand_id: UUID) -> DemandRead:
        return DemandRead(id=demand_id)

    return await call.write(commands.reveal_demand, interaction_id, body.text, body.buying_window, answer=answer)
