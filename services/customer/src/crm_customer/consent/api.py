"""Routes of consents."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_customer.consent import commands, queries
from crm_customer.consent.domain import Entry
from crm_customer.consent.queries import Question
from crm_customer.consent.schemas import (
    ConsentAnswer,
    ConsentBulk,
    ConsentCreate,
    ConsentOutcomes,
    ConsentPage,
    ConsentRead,
    ConsentStates,
)
from crm_customer.fields import ConsentId, CustomerId, Slug
from crm_customer.parties.store import reading
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, NotFound
from crm_shared.fields import Instant
from crm_shared.http.call import Call, needs
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/customers/{customer_id}/consents", tag="consents")
bulk_router = Router(
    prefix="/v1/consents",
    tag="consents",
    about="What customers allowed and forbade: a ledger that only grows, with proof.",
)
Reading = Annotated[Call, needs("consents:read")]
Writing = Annotated[Call, needs("consents:write")]


@router.post("", status_code=201, response_model=ConsentRead)
async def record(customer_id: CustomerId, body: ConsentCreate, call: Writing) -> Response:
    """Record what a customer allowed or forbade. The ledger only grows; late news never undoes later ones."""
    return await call.write(commands.record, body.to_domain(customer_id), answer=ConsentRead.of)


@router.get("", response_model=ConsentStates)
async def of_customer(customer_id: CustomerId, call: Reading) -> Response:
    """What a customer allows now, purpose by purpose and channel by channel."""
    return await call.read(queries.current, customer_id, answer=ConsentStates.of)


@router.get("/check", response_model=ConsentAnswer)
async def check(
    customer_id: CustomerId,
    call: Reading,
    purpose: Annotated[Slug, Query(description="What for.")],
    channel: Annotated[Slug, Query(description="By which channel.")],
    at: Annotated[Instant | None, Query(description="The time in question; now, if left out.")] = None,
    known_at: Annotated[Instant | None, Query(description="By what was known when; now, if left out.")] = None,
) -> Response:
    """Was this allowed at that time, and what proves it?"""
    asked = Question(purpose, channel, at or call.now, known_at or call.now)
    return await call.read(queries.check, customer_id, asked, answer=partial(ConsentAnswer.to, asked))


async def _ledger(
    tx: Tx, viewer: Viewer, filters: PageQuery, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Entry]:
    return await queries.ledger(tx, viewer, customer_id, limit=limit, after=after)


@router.get("/ledger", response_model=ConsentPage)
async def ledger(customer_id: CustomerId, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """All that was ever recorded about a customer's consents, the latest first."""
    return await call.page(_ledger, filters, customer_id, answer=ConsentRead.of, key=lambda entry: (entry.id,))


@router.post("/{consent_id}/confirm", status_code=201, response_model=ConsentRead)
async def confirm(customer_id: CustomerId, consent_id: ConsentId, call: Writing) -> Response:
    """Confirm a pending grant (double opt-in); confirming twice changes nothing."""
    return await call.write(commands.confirm, customer_id, consent_id, answer=ConsentRead.of)


@bulk_router.post("/bulk", status_code=207, response_model=ConsentOutcomes)
async def bulk(body: ConsentBulk, call: Writing) -> Response:
    """Record up to 500 consents; each item has its own outcome."""

    async def work(tx: Tx, viewer: Viewer, *, now: datetime) -> Sequence[Entry | CrmError]:
        customers = await reading.ids_by_keys(tx, [item.customer_key for item in body.items if item.customer_key])
        items = {
            index: item.to_domain(customer_id)
            for index, item in enumerate(body.items)
            if (customer_id := item.customer_id or customers.get(item.customer_key or ("", "")))
        }
        done = dict(zip(items, await commands.record_many(tx, viewer, [*items.values()], now=now), strict=True))
        return [
            done[index] if index in done else NotFound.of("customer", str(item.external_id))
            for index, item in enumerate(body.items)
        ]

    return await call.write(work, answer=ConsentOutcomes.of)
