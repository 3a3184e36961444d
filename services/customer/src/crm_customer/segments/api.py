"""Routes of segments."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_customer.fields import CustomerId, SegmentId
from crm_customer.segments import queries
from crm_customer.segments.commands import defining, membership
from crm_customer.segments.queries import Found
from crm_customer.segments.schemas.rules import to_json
from crm_customer.segments.schemas.segments import (
    Materialisation,
    MemberPage,
    MemberRead,
    Memberships,
    Preview,
    SegmentCreate,
    SegmentPage,
    SegmentPreviewRead,
    SegmentRead,
    SegmentUpdate,
)
from crm_customer.segments.store.segments import Member, Segment
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.operation_model import OperationRead
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/segments", tag="segments", about="Customers that a rule describes.")
customer_router = Router(prefix="/v1/customers/{customer_id}/segments", tag="segments")
Reading = Annotated[Call, needs("segments:read")]
Writing = Annotated[Call, needs("segments:write")]


async def _page(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Segment]:
    return await queries.page(tx, viewer, limit=limit, after=after)


async def _members(
    tx: Tx, viewer: Viewer, filters: PageQuery, segment_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Member]:
    return await queries.members(tx, viewer, segment_id, limit=limit, after=after)


@router.post("", status_code=201, response_model=SegmentRead)
async def create(body: SegmentCreate, call: Writing) -> Response:
    """Define a segment by a rule; materialise it to find its members."""
    return await call.write(defining.define, body.to_domain(), answer=SegmentRead.of)


@router.post("/preview", response_model=SegmentPreviewRead)
async def preview(body: Preview, call: Reading) -> Response:
    """Try a segment's rule. How many customers it finds, and a few of them; nothing is kept."""

    async def ask(tx: Tx, viewer: Viewer) -> Found:
        rule = await defining.understood(tx, to_json(body.rule))
        return await queries.preview(tx, rule, as_of=body.as_of, sample=body.sample, now=call.now)

    return await call.read(ask, answer=SegmentPreviewRead.of)


@router.get("/{segment_id}", response_model=SegmentRead)
async def get(segment_id: SegmentId, call: Reading) -> Response:
    """A segment."""
    return await call.read(queries.get, segment_id, answer=SegmentRead.of)


@router.patch("/{segment_id}", response_model=SegmentRead)
async def update(segment_id: SegmentId, body: SegmentUpdate, call: Writing) -> Response:
    """Change a segment; a new rule takes effect with the next materialisation."""
    return await call.write(
        defining.change, segment_id, body.to_changes(), expected_version=call.if_match(), answer=SegmentRead.of
    )


@router.delete("/{segment_id}", status_code=204)
async def delete(segment_id: SegmentId, call: Writing) -> Response:
    """Take a segment away; refused, with all users named, while segments or campaigns rest on it."""
    return await call.write(defining.remove, segment_id)


@router.post("/{segment_id}/materialise", status_code=202, response_model=OperationRead)
async def materialise(segment_id: SegmentId, body: Materialisation, call: Writing) -> Response:
    """Find a segment's members anew among all customers."""
    return await call.start(membership.start_materialisation, segment_id, body.as_of)


@router.get("/{segment_id}/members", response_model=MemberPage)
async def members(segment_id: SegmentId, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """The members of a segment."""
    return await call.page(
        _members, filters, segment_id, answer=MemberRead.of, key=lambda member: (member.customer_id,)
    )


@router.get("", response_model=SegmentPage)
async def list(call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """Segments, the newest first."""
    return await call.page(_page, filters, answer=SegmentRead.of, key=lambda segment: (segment.id,))


@customer_router.get("", response_model=Memberships)
async def of_customer(customer_id: CustomerId, call: Reading) -> Response:
    """The segments a customer is in."""
    return await call.read(queries.of_customer, customer_id, answer=Memberships.of)
