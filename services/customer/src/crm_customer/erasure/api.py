"""Routes of forgetting."""

from typing import Annotated

from fastapi import Response

from crm_customer.erasure import commands
from crm_customer.fields import CustomerId
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(prefix="/v1/customers/{customer_id}", tag="customers")


@router.delete("", status_code=204)
async def erase(customer_id: CustomerId, call: Annotated[Call, needs("customers:erase")]) -> Response:
    """Forget a customer, and all records merged into it, for good and in every service."""
    return await call.write(commands.erase, customer_id)
