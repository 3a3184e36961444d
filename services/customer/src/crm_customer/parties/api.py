"""Routes of customers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response

from crm_customer.fields import CustomerId, ExternalId, SourceName
from crm_customer.parties import queries
from crm_customer.parties.commands import batches, records
from crm_customer.parties.commands.records import Upserted
from crm_customer.parties.domain import Customer, Registration
from crm_customer.parties.normalising import NotReachable, normalised
from crm_customer.parties.schemas.lists import (
    AuditPage,
    AuditRead,
    CustomerBulk,
    CustomerFilter,
    CustomerOutcomes,
    CustomerPage,
    CustomerSearch,
    Verification,
)
from crm_customer.parties.schemas.records import CustomerCreate, CustomerPut, CustomerRead, CustomerUpdate, shown
from crm_customer.parties.store import listing, reading
from crm_customer.parties.store.rows import AuditEntry
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, Invalid
from crm_shared.http.call import Call, needs
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/customers",
    tag="customers",
    about="People and organisations: registered, found, changed, merged, erased.",
)
Reading = Annotated[Call, needs("customers:read")]
Source = Annotated[SourceName, Path(description="The other system.")]
IdThere = Annotated[ExternalId, Path(description="The customer's id there.")]
Writing = Annotated[Call, needs("customers:write")]


@router.post("", status_code=201, response_model=CustomerRead)
async def register(body: CustomerCreate, call: Writing) -> Response:
    """Register a customer."""
    return await call.write(records.register, body.to_domain(), answer=shown)


async def _list(
    tx: Tx, viewer: Viewer, filters: CustomerFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Customer]:
    wanted = filters.to_listing(await queries.attribute_filter(tx, filters.attribute))
    return await listing.list_customers(tx, viewer, wanted, limit=limit, after=after)


async def _history(
    tx: Tx, viewer: Viewer, filters: PageQuery, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[AuditEntry]:
    return await reading.history(tx, viewer, customer_id, limit=limit, after=after)


@router.get("", response_model=CustomerPage)
async def list(call: Reading, filters: Annotated[CustomerFilter, Query()]) -> Response:
    """Customers, newest first; by name where `name` is given."""
    by_name = filters.name is not None
    return await call.page(
        _list,
        filters,
        answer=shown,
        key=lambda item: (listing.name_key(item), item.id) if by_name else (item.id,),
    )


@router.get("/search", response_model=CustomerSearch)
async def search(
    call: Reading,
    q: Annotated[str, Query(min_length=2, max_length=200, description="A name, e-mail, phone number, number or id.")],
    limit: Annotated[int, Query(ge=1, le=50, description="How many at most.")] = 20,
) -> Response:
    """Customers by what people remember of them, best first; a slip of the finger is forgiven."""
    return await call.read(queries.search, q, limit=limit, answer=_found)


def _found(customers: Sequence[Customer]) -> dict[str, Any]:
    return {"items": [shown(customer) for customer in customers]}


@router.post("/bulk", status_code=207, response_model=CustomerOutcomes)
async def bulk(body: CustomerBulk, call: Writing) -> Response:
    """Register or update up to 500 customers; each item has its own outcome."""
    items: dict[int, Registration] = {}
    refused: dict[int, CrmError] = {}
    for index, item in enumerate(body.items):
        try:
            items[index] = item.to_domain()
        except CrmError as error:
            refused[index] = error

    async def work(tx: Tx, viewer: Viewer, *, now: datetime) -> Sequence[Upserted | CrmError]:
        done = await batches.upsert_many(tx, viewer, [*items.values()], now=now)
        outcomes = dict(zip(items, done, strict=True)) | refused
        return [outcomes[index] for index in sorted(outcomes)]

    return await call.write(work, answer=CustomerOutcomes.of)


@router.get("/by-external-id/{source}/{external_id}", response_model=CustomerRead)
async def get_by_external_id(source: Source, external_id: IdThere, call: Reading) -> Response:
    """The customer that another system knows by this id."""
    return await call.read(queries.get_by_external, source, external_id, answer=shown)


@router.put("/by-external-id/{source}/{external_id}", response_model=CustomerRead)
async def put_by_external_id(source: Source, external_id: IdThere, body: CustomerPut, call: Writing) -> Response:
    """Register or update the customer that another system knows by this id."""
    return await call.write(records.upsert, body.keyed(source, external_id), answer=_upserted)


def _upserted(result: Upserted) -> dict[str, Any]:
    return shown(result.customer)


@router.get("/{customer_id}", response_model=CustomerRead)
async def get(customer_id: CustomerId, call: Reading) -> Response:
    """A customer; a merged record's id answers with its survivor."""
    return await call.read(queries.get_customer, customer_id, answer=shown)


@router.patch("/{customer_id}", response_model=CustomerRead)
async def update(customer_id: CustomerId, body: CustomerUpdate, call: Writing) -> Response:
    """Change fields of a customer; `If-Match` guards against changes you haven't seen."""
    return await call.write(
        records.change, customer_id, body.to_changes(), expected_version=call.if_match(), answer=shown
    )


@router.post("/{customer_id}/verify-contact-point", response_model=CustomerRead)
async def verify_contact_point(customer_id: CustomerId, body: Verification, call: Writing) -> Response:
    """Mark a contact point as proven to reach the customer."""
    try:
        _, folded = normalised(body.channel, body.value, country=None)
    except NotReachable as error:
        raise Invalid.field("/value", str(error), code="contact_point_invalid") from None
    return await call.write(records.verify, customer_id, body.channel, folded, answer=shown)


@router.get("/{customer_id}/audit", response_model=AuditPage)
async def audit(customer_id: CustomerId, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """Who changed what about the customer, newest first."""
    return await call.page(_history, filters, customer_id, answer=AuditRead.of, key=lambda entry: (entry.id,))
