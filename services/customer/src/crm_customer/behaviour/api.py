"""Routes of behaviour."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_customer.behaviour import commands, queries
from crm_customer.behaviour.commands import Reported
from crm_customer.behaviour.domain import MoneyFact
from crm_customer.behaviour.schemas import (
    BehaviourRead,
    PurchaseBulk,
    PurchaseCreate,
    PurchaseFilter,
    PurchaseOutcomes,
    PurchasePage,
    PurchaseRead,
)
from crm_customer.fields import CustomerId
from crm_customer.parties.store import reading
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, NotFound
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/purchases", tag="purchases", about="What customers bought elsewhere, paid and returned.")
customer_router = Router(prefix="/v1/customers/{customer_id}", tag="purchases")
Reading = Annotated[Call, needs("purchases:read")]
Writing = Annotated[Call, needs("purchases:write")]


async def _report(tx: Tx, viewer: Viewer, body: PurchaseCreate, *, now: datetime) -> Reported:
    result = (await _report_all(tx, viewer, [body], now=now))[0]
    if isinstance(result, CrmError):
        raise result
    return result


async def _report_all(
    tx: Tx, viewer: Viewer, items: Sequence[PurchaseCreate], *, now: datetime
) -> Sequence[Reported | CrmError]:
    by_key = await reading.ids_by_keys(tx, [item.customer_key for item in items if item.customer_key])
    reports = {
        index: item.to_domain(customer_id)
        for index, item in enumerate(items)
        if (customer_id := item.customer_id or by_key.get(item.customer_key or ("", "")))
    }
    done = dict(zip(reports, await commands.report_many(tx, viewer, [*reports.values()], now=now), strict=True))
    return [
        done[index] if index in done else NotFound.of("customer", str(item.customer_external_id))
        for index, item in enumerate(items)
    ]


@router.post("", status_code=201, response_model=PurchaseRead)
async def report(body: PurchaseCreate, call: Writing) -> Response:
    """Report a purchase, payment or return; a repeat answers with what was reported before."""
    return await call.write(_report, body, answer=PurchaseRead.of_reported)


@router.post("/bulk", status_code=207, response_model=PurchaseOutcomes)
async def bulk(body: PurchaseBulk, call: Writing) -> Response:
    """Report up to 500 purchases, payments and returns; each item has its own outcome."""
    return await call.write(_report_all, body.items, answer=PurchaseOutcomes.of)


async def _facts(
    tx: Tx, viewer: Viewer, filters: PurchaseFilter, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[MoneyFact]:
    return await queries.facts(tx, viewer, customer_id, filters.kind, limit=limit, after=after)


@customer_router.get("/purchases", response_model=PurchasePage)
async def of_customer(customer_id: CustomerId, call: Reading, filters: Annotated[PurchaseFilter, Query()]) -> Response:
    """What a customer bought, paid and returned, the latest first."""
    return await call.page(
        _facts, filters, customer_id, answer=PurchaseRead.of, key=lambda fact: (fact.occurred_at, fact.id)
    )


@customer_router.get("/behaviour", response_model=BehaviourRead)
async def behaviour(customer_id: CustomerId, call: Reading) -> Response:
    """What a customer's behaviour sums up to; each currency by itself."""
    return await call.read(queries.totals, customer_id, answer=BehaviourRead.of)
