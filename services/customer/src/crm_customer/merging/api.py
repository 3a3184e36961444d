"""Routes of merges."""

from typing import Annotated

from fastapi import Response

from crm_customer.fields import CustomerId
from crm_customer.merging import commands
from crm_customer.merging.schemas import MergeIn, UnmergeIn
from crm_customer.parties.schemas.records import CustomerRead, shown
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(prefix="/v1/customers/{customer_id}", tag="customers")
Merging = Annotated[Call, needs("customers:merge")]


@router.post("/merge", response_model=CustomerRead)
async def merge(customer_id: CustomerId, body: MergeIn, call: Merging) -> Response:
    """Merge another record into this customer; nothing of either is lost, and it can be undone exactly."""
    return await call.write(commands.merge, customer_id, body.merged_id, body.reason, answer=shown)


@router.post("/unmerge", response_model=CustomerRead)
async def unmerge(customer_id: CustomerId, body: UnmergeIn, call: Merging) -> Response:
    """Take a merged record out again; answers with the restored customer."""
    return await call.write(commands.unmerge, customer_id, body.restored_id, answer=shown)
