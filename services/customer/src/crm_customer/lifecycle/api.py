"""Routes of lifecycles."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from crm_customer.fields import CustomerId
from crm_customer.lifecycle import commands, queries
from crm_customer.lifecycle.schemas import (
    Evaluation,
    LifecycleRead,
    LifecycleStepRead,
    RulesIn,
    RulesRead,
    StateCounts,
    StepPage,
    WhatIf,
)
from crm_customer.lifecycle.store import Transition
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.operation_model import OperationRead
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/lifecycle", tag="lifecycle", about="Where customers stand, from potential to lost and won back."
)
customer_router = Router(prefix="/v1/customers/{customer_id}/lifecycle", tag="lifecycle")
Reading = Annotated[Call, needs("customers:read")]
Managing = Annotated[Call, needs("customers:admin")]


@router.get("/rules", response_model=RulesRead)
async def get_rules(call: Reading) -> Response:
    """The lifecycle rules in force."""
    return await call.read(queries.rules, answer=RulesRead.of)


@router.put("/rules", response_model=RulesRead)
async def set_rules(body: RulesIn, call: Managing) -> Response:
    """Put new rules in force, from the next evaluation on; try them out with what-if before."""
    return await call.write(
        commands.accept_rules, body.to_domain(), expected_version=call.if_match(), answer=RulesRead.of
    )


@router.post("/what-if", response_model=WhatIf)
async def what_if(body: RulesIn, call: Reading) -> Response:
    """Try other lifecycle rules. How many customers would change their state; nothing is changed."""
    return await call.read(commands.what_if, body.to_domain(), now=call.now, answer=WhatIf.of)


@router.post("/evaluations", status_code=202, response_model=OperationRead)
async def evaluate(body: Evaluation, call: Managing) -> Response:
    """Evaluate where all customers stand now."""
    return await call.start(commands.start_evaluation, body.as_of)


@router.get("/states", response_model=StateCounts)
async def states(call: Reading) -> Response:
    """How many customers stand where."""
    return await call.read(queries.counts, answer=StateCounts.of)


async def _steps(
    tx: Tx, viewer: Viewer, filters: PageQuery, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Transition]:
    return await queries.steps(tx, viewer, customer_id, limit=limit, after=after)


@customer_router.get("", response_model=LifecycleRead)
async def of_customer(customer_id: CustomerId, call: Reading) -> Response:
    """Where a customer stands, why, and since when."""
    return await call.read(queries.standing, customer_id, answer=LifecycleRead.of)


@customer_router.get("/transitions", response_model=StepPage)
async def transitions(customer_id: CustomerId, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """The steps of a customer's way, the latest first."""
    return await call.page(_steps, filters, customer_id, answer=LifecycleStepRead.of, key=lambda step: (step.id,))
