"""Routes for systems that follow what happens, without the bus."""

from typing import Annotated, Any

import orjson
from fastapi import Query, Response

from crm_gateway.subscriptions import queries, store
from crm_gateway.subscriptions.catalogue import catalogue
from crm_gateway.subscriptions.domain import Head, cursor_of, position_of, refuse_narrowed, visible_types
from crm_gateway.subscriptions.queries import Wanted
from crm_gateway.subscriptions.schemas import EventFilter, EventPage, EventPageFilter
from crm_gateway.subscriptions.streaming import Beginning, EventStream, frames
from crm_gateway.subscriptions.tail import Tail
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(
    prefix="/v1/events", tag="events", about="What happened, for systems that follow: in pages or as a stream."
)
ROUTERS = [router]
Reader = Annotated[Call, needs("events:read")]
_SHOWN = 'id: AQAAAAAAAAAq\nevent: crm.deal.won.v1\ndata: {"specversion":"1.0","type":"crm.deal.won.v1"}\n\n'
_STREAM: dict[str, Any] = {
    "description": "Events as they happen, until either side ends it.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _SHOWN}},
}
_LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The `id` of what came last, to take a stream up again; it goes before `cursor`.",
    "schema": {"type": "string", "maxLength": 100, "examples": ["AQAAAAAAAAAq"]},
}


@router.get("", response_model=EventPage)
async def list(call: Reader, filters: Annotated[EventPageFilter, Query()]) -> Response:
    """Read what happened in the last days, in order.

    Without a cursor it begins with the oldest event that is kept. A page may hold few events, or none, and still have a
    next one: look at `next_cursor` only. Those who come back for more send `resume`. Only types whose records the
    caller may read are shown. What tells of a person who was erased is gone.
    """
    wanted = _wanted(call, filters)
    async with call.services.database.reading(call.viewer.tenant) as tx:
        head = await store.head(tx)
        position = await _beginning(tx, filters, filters.cursor, head, otherwise=head.pruned_to)
        batch = await queries.read(tx, wanted, position, limit=filters.limit)
    resume = cursor_of(batch.reached)
    body = {
        "items": [orjson.Fragment(event.text) for event in batch.events],
        "next_cursor": None if batch.at_end else resume,
        "resume": resume,
    }
    return Response(orjson.dumps(body), media_type="application/json")


@router.get(
    "/stream", response_class=EventStream, responses={200: _STREAM}, openapi_extra={"parameters": [_LAST_EVENT_ID]}
)
async def stream(call: Reader, filters: Annotated[EventFilter, Query()]) -> Response:
    """Follow what happens, as server-sent events.

    An event's `event` is its type, its `data` the CloudEvent, its `id` a cursor: sent as `Last-Event-ID` (browsers do
    so by themselves) or `cursor`, it continues there. Without one it begins now. A comment comes when nothing else
    does; an event without data only moves the cursor on. A cursor that is too old is answered with 410.
    """
    wanted = _wanted(call, filters)
    tenant = call.viewer.tenant
    async with call.services.database.reading(tenant) as tx:
        head = await store.head(tx)
        cursor = call.request.headers.get("last-event-id") or filters.cursor
        position = await _beginning(tx, filters, cursor, head, otherwise=head.latest)
    return EventStream(frames(call.resource(Tail), tenant, wanted, Beginning(position, head.latest)))


def _wanted(call: Call, filters: EventFilter) -> Wanted:
    refuse_narrowed(call.viewer)
    filters.refuse_two_beginnings()
    return Wanted(visible_types(call.viewer, filters.patterns, catalogue(), at="query:types"), filters.subject)


async def _beginning(tx: Tx, filters: EventFilter, cursor: str | None, head: Head, *, otherwise: int) -> int:
    if cursor:
        return position_of(cursor, head, at="query:cursor")
    if filters.since:
        return max(await store.position_before(tx, filters.since, head), head.pruned_to)
    return otherwise
