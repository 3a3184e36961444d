"""Routes of queues."""

from typing import Annotated

from fastapi import Query, Response

from crm_contact_center.references import QueueId
from crm_contact_center.routing import queries
from crm_contact_center.routing.commands import queues as commands
from crm_contact_center.routing.queries import QueueStatus
from crm_contact_center.routing.schemas import (
    QueueCreate,
    QueueFilter,
    QueuePage,
    QueueRead,
    QueueStatusRead,
    QueueUpdate,
)
from crm_contact_center.routing.store import queues as store
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(prefix="/v1/queues", tag="queues", about="Where conversations wait for an agent.")


@router.post("", status_code=201, response_model=QueueRead)
async def create(body: QueueCreate, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Create a queue."""
    return await call.write(commands.create_queue, body.to_domain(), answer=QueueRead.of)


@router.get("", response_model=QueuePage)
async def list(filters: Annotated[QueueFilter, Query()], call: Annotated[Call, needs("interactions:read")]) -> Response:
    """Queues by name."""
    return await call.page(store.list_queues, filters, answer=QueueRead.of, key=lambda queue: (queue.name, queue.id))


@router.get("/{queue_id}", response_model=QueueRead)
async def get(queue_id: QueueId, call: Annotated[Call, needs("interactions:read")]) -> Response:
    """One queue."""
    return await call.read(store.view, queue_id, answer=QueueRead.of)


@router.patch("/{queue_id}", response_model=QueueRead)
async def update(queue_id: QueueId, body: QueueUpdate, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Change a queue; who waits keeps place and needs, and gets the new steps and strategy at once."""
    return await call.write(
        commands.change_queue, queue_id, body.changes(), expected=call.if_match(), answer=QueueRead.of
    )


@router.get("/{queue_id}/status", response_model=QueueStatusRead)
async def status(queue_id: QueueId, call: Annotated[Call, needs("interactions:read")]) -> Response:
    """How many wait in a queue now, since when, and whether it is open."""

    def answer(found: QueueStatus) -> QueueStatusRead:
        return QueueStatusRead(waiting=found.waiting, longest_wait_s=found.longest_wait_s, open=found.open)

    return await call.read(queries.status, queue_id, call.now, answer=answer)
