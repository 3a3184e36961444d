"""Routes of quotes; accepting one is a route of orders."""

from typing import Annotated, Any

from fastapi import Query, Response

from crm_sales_pipeline.identifiers import QuoteId
from crm_sales_pipeline.quotes import commands, store
from crm_sales_pipeline.quotes.domain import Quote
from crm_sales_pipeline.quotes.schemas import (
    QuoteCreate,
    QuotePage,
    QuoteQuery,
    QuoteRead,
    QuoteReject,
    QuoteUpdate,
)
from crm_shared.db.pool import Tx
from crm_shared.http import Call, Router, needs
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/quotes", tag="quotes", about="Priced offers in versions: drafted, approved, sent, accepted."
)

Reads = Annotated[Call, needs("quotes:read")]
Writes = Annotated[Call, needs("quotes:write")]
Approves = Annotated[Call, needs("sales:approve")]


@router.post("", status_code=201, response_model=QuoteRead)
async def draft(body: QuoteCreate, call: Writes) -> Response:
    """Draft a quote, priced by the server."""
    return await call.write(commands.draft_quote, body.to_domain(), answer=QuoteRead.of)


@router.get("", response_model=QuotePage, name="list")
async def list_(call: Reads, filters: Annotated[QuoteQuery, Query()]) -> Response:
    """Quotes, newest first."""

    def key(quote: Quote) -> tuple[Any, ...]:
        return quote.created_at, quote.id

    return await call.page(_page, filters, answer=QuoteRead.of, key=key)


@router.get("/{quote_id}", response_model=QuoteRead)
async def get(quote_id: QuoteId, call: Reads) -> Response:
    """One version of a quote."""
    return await call.read(store.view, quote_id, answer=QuoteRead.of)


@router.put("/{quote_id}", response_model=QuoteRead)
async def replace(quote_id: QuoteId, body: QuoteUpdate, call: Writes) -> Response:
    """Replace a draft; a sent quote never changes."""
    return await call.write(
        commands.change_quote, quote_id, body.to_domain(), expected=call.if_match(), answer=QuoteRead.of
    )


@router.post("/{quote_id}/approve", response_model=QuoteRead)
async def approve(quote_id: QuoteId, call: Approves) -> Response:
    """Approve a quote above its price book's thresholds; not one's own."""
    return await call.write(commands.approve_quote, quote_id, expected=call.if_match(), answer=QuoteRead.of)


@router.post("/{quote_id}/send", response_model=QuoteRead)
async def send(quote_id: QuoteId, call: Writes) -> Response:
    """Send a quote to the customer; older versions leave the table."""
    return await call.write(commands.send_quote, quote_id, expected=call.if_match(), answer=QuoteRead.of)


@router.post("/{quote_id}/revise", response_model=QuoteRead)
async def revise(quote_id: QuoteId, call: Writes) -> Response:
    """Begin a new version of a quote."""
    return await call.write(commands.revise_quote, quote_id, answer=QuoteRead.of)


@router.post("/{quote_id}/reject", response_model=QuoteRead)
async def reject(quote_id: QuoteId, body: QuoteReject, call: Writes) -> Response:
    """Record that the customer said no; a quote with an order cannot be lost."""
    return await call.write(commands.reject_quote, quote_id, body.reason, expected=call.if_match(), answer=QuoteRead.of)


async def _page(
    tx: Tx, viewer: Viewer, filters: QuoteQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Quote]:
    return await store.list_quotes(tx, viewer, filters.to_filter(), limit=limit, after=after)
