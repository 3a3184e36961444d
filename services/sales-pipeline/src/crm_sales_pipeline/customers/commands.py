"""Meeting customers in commands of other slices."""

from uuid import UUID

from crm_sales_pipeline.customers import store
from crm_sales_pipeline.customers.domain import Customer, check_not_erased
from crm_shared.db.pool import Tx


async def meet(tx: Tx, customer_id: UUID) -> Customer:
    """The customer to do business with: locked, a stub if not heard of yet.

    Raises:
        Gone: the customer has been erased.
    """
    found = await store.lock(tx, await store.root_of(tx, customer_id))
    check_not_erased(found)
    return found
