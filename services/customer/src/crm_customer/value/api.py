"""Routes of value."""

from functools import partial
from typing import Annotated, Any

from fastapi import Query, Response

from crm_customer.fields import CustomerId
from crm_customer.value import commands, queries
from crm_customer.value.domain import Dimension
from crm_customer.value.schemas import CrossTable, Groups, RatingStart, RunPage, RunRead, ValueRead
from crm_customer.value.store import Run
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.operation_model import OperationRead
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/values", tag="values", about="Customers rated by recency, frequency and monetary value.")
customer_router = Router(prefix="/v1/customers/{customer_id}/value", tag="values")
Reading = Annotated[Call, needs("customers:read")]


@router.post("/ratings", status_code=202, response_model=OperationRead)
async def rate(body: RatingStart, call: Annotated[Call, needs("customers:admin")]) -> Response:
    """Rate all customers by recency, frequency and monetary value, as of a time."""
    return await call.start(commands.start_rating, body.as_of, body.currency)


async def _runs(tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None) -> list[Run]:
    return await queries.runs(tx, viewer, limit=limit, after=after)


@router.get("/ratings", response_model=RunPage)
async def ratings(call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """The ratings so far, the latest first."""
    return await call.page(_runs, filters, answer=RunRead.of, key=lambda run: (run.run,))


@router.get("/cross-table", response_model=CrossTable)
async def cross_table(
    call: Reading,
    rows: Annotated[Dimension, Query(description="The score of a row.")] = Dimension.RECENCY,
    columns: Annotated[Dimension, Query(description="The score of a column.")] = Dimension.FREQUENCY,
) -> Response:
    """Two scores against each other. Recency and frequency say when customers come back."""
    return await call.read(queries.cross_table, rows, columns, answer=partial(CrossTable.of, rows, columns))


@router.get("/groups", response_model=Groups)
async def groups(call: Reading) -> Response:
    """How many customers each named group holds, and what they spent."""
    return await call.read(queries.groups, answer=Groups.of)


@customer_router.get("", response_model=ValueRead)
async def of_customer(customer_id: CustomerId, call: Reading) -> Response:
    """A customer's scores and what they rest on."""
    return await call.read(queries.rating, customer_id, answer=ValueRead.of)
