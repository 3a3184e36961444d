"""Routes of imports, and of publishing everybody anew."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_customer.fields import ImportId
from crm_customer.transfer import commands, queries
from crm_customer.transfer.domain import ImportKind, Settings
from crm_customer.transfer.receiving import FORMATS, Receiving, format_of
from crm_customer.transfer.schemas import (
    CustomerImportOptions,
    ImportErrorPage,
    ImportErrorRead,
    ImportPage,
    ImportRead,
    PurchaseImportOptions,
)
from crm_customer.transfer.store import Import, KeptError
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.operation_model import OperationRead
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

customers_router = Router(
    prefix="/v1/customer-imports", tag="customer-imports", about="Customers from files, as long jobs."
)
purchases_router = Router(
    prefix="/v1/purchase-imports",
    tag="purchase-imports",
    about="Purchases, payments and returns from files, as long jobs.",
)
republish_router = Router(prefix="/v1/customers/republish", tag="customers")
Reading = Annotated[Call, needs("imports:read")]
Writing = Annotated[Call, needs("imports:write")]
FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in FORMATS},
    }
}


async def _start(call: Call, settings: Settings) -> Response:
    upload = await Receiving(call, settings).whole(call.request.stream())
    return await call.start(commands.start_import, upload)


def _settings(call: Call, options: CustomerImportOptions | PurchaseImportOptions) -> Settings:
    return options.to_settings(format_of(call.request.headers.get("content-type", "")))


async def _page(
    tx: Tx, viewer: Viewer, filters: PageQuery, kind: ImportKind, *, limit: int, after: tuple[Any, ...] | None
) -> list[Import]:
    return await queries.page(tx, viewer, kind, limit=limit, after=after)


async def _errors(
    tx: Tx,
    viewer: Viewer,
    filters: PageQuery,
    which: tuple[ImportKind, UUID],
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[KeptError]:
    return await queries.errors(tx, viewer, *which, limit=limit, after=after)


@customers_router.post("", status_code=202, response_model=OperationRead, openapi_extra=FILE, name="start")
async def start_customers(call: Writing, options: Annotated[CustomerImportOptions, Query()]) -> Response:
    """Import customers from CSV or JSON lines; they are registered, or updated where the source's id is known.

    The import's id is the operation's with the prefix `imp_`.
    """
    return await _start(call, _settings(call, options))


@customers_router.get("", response_model=ImportPage, name="list")
async def list_customers(call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """Imports of customers, the latest first."""
    return await call.page(_page, filters, ImportKind.CUSTOMERS, answer=ImportRead.of, key=lambda item: (item.id,))


@customers_router.get("/{import_id}", response_model=ImportRead, name="get")
async def get_customers(import_id: ImportId, call: Reading) -> Response:
    """What became of a file of customers so far."""
    return await call.read(queries.get, ImportKind.CUSTOMERS, import_id, answer=ImportRead.of)


@customers_router.get("/{import_id}/errors", response_model=ImportErrorPage, name="errors")
async def customer_errors(import_id: ImportId, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """What was wrong with which rows of customers, in the file's order."""
    which = (ImportKind.CUSTOMERS, import_id)
    return await call.page(_errors, filters, which, answer=ImportErrorRead.of, key=lambda e: (e.row, e.nth))


@purchases_router.post("", status_code=202, response_model=OperationRead, openapi_extra=FILE, name="start")
async def start_purchases(call: Writing, options: Annotated[PurchaseImportOptions, Query()]) -> Response:
    """Import purchases, payments and returns from CSV or JSON lines; a repeat changes nothing.

    The import's id is the operation's with the prefix `imp_`.
    """
    return await _start(call, _settings(call, options))


@purchases_router.get("", response_model=ImportPage, name="list")
async def list_purchases(call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """Imports of purchases, the latest first."""
    return await call.page(_page, filters, ImportKind.PURCHASES, answer=ImportRead.of, key=lambda item: (item.id,))


@purchases_router.get("/{import_id}", response_model=ImportRead, name="get")
async def get_purchases(import_id: ImportId, call: Reading) -> Response:
    """What became of a file of purchases so far."""
    return await call.read(queries.get, ImportKind.PURCHASES, import_id, answer=ImportRead.of)


@purchases_router.get("/{import_id}/errors", response_model=ImportErrorPage, name="errors")
async def purchase_errors(import_id: ImportId, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """What was wrong with which rows of purchases, in the file's order."""
    which = (ImportKind.PURCHASES, import_id)
    return await call.page(_errors, filters, which, answer=ImportErrorRead.of, key=lambda e: (e.row, e.nth))


@republish_router.post("", status_code=202, response_model=OperationRead)
async def republish(call: Annotated[Call, needs("customers:admin")]) -> Response:
    """Publish a snapshot of every customer; for whoever begins to follow them or lost the thread."""
    return await call.start(commands.start_republishing)
