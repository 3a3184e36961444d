"""Routes of timelines and cards."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_customer.fields import CustomerId
from crm_customer.timeline import queries
from crm_customer.timeline.domain import Entry
from crm_customer.timeline.schemas import CardRead, EntryRead, TimelineFilter, TimelinePage
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/customers/{customer_id}", tag="timeline", about="Everything that happened around a customer."
)
Reading = Annotated[Call, needs("customers:read")]


async def _page(
    tx: Tx, viewer: Viewer, filters: TimelineFilter, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Entry]:
    return await queries.timeline(tx, viewer, customer_id, filters.to_shown(), limit=limit, after=after)


@router.get("/timeline", response_model=TimelinePage)
async def of_customer(customer_id: CustomerId, call: Reading, filters: Annotated[TimelineFilter, Query()]) -> Response:
    """Everything that happened around a customer, from all services, the latest first."""
    return await call.page(_page, filters, customer_id, answer=EntryRead.of, key=lambda entry: (entry.at, entry.id))


@router.get("/card", response_model=CardRead)
async def card(customer_id: CustomerId, call: Reading) -> Response:
    """The card that an agent sees first when this customer calls."""
    return await call.read(queries.card, customer_id, now=call.now, answer=CardRead.of)
