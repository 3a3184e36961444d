"""Routes to look at a long job and to stop it."""

from functools import partial
from typing import Annotated

from fastapi import Response

from crm_shared.db.operations import cancel_operation, get_operation
from crm_shared.http.call import Call, needs
from crm_shared.http.operation_model import OperationRead
from crm_shared.http.router import Router
from crm_shared.ids import parse_id

router = Router(prefix="/v1/operations", tag="operations", about="Long jobs: how far they are, and what came of them.")
Caller = Annotated[Call, needs("operations:read")]


@router.get("/{operation_id}", response_model=OperationRead)
async def get(operation_id: str, call: Caller) -> Response:
    """Where a long job stands."""
    prefix = call.services.operation_prefix
    return await call.read(get_operation, parse_id(prefix, operation_id), answer=partial(OperationRead.of, prefix))


@router.post("/{operation_id}/cancel", response_model=OperationRead)
async def cancel(operation_id: str, call: Annotated[Call, needs("operations:write")]) -> Response:
    """Ask a long job to stop at its next safe point."""
    prefix = call.services.operation_prefix
    return await call.write(cancel_operation, parse_id(prefix, operation_id), answer=partial(OperationRead.of, prefix))
