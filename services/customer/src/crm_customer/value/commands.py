"""Rating customers."""

from datetime import datetime

from crm_customer.lifecycle import store as lifecycle
from crm_customer.value import store
from crm_shared.db.operations import Operation, start_operation
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict
from crm_shared.tenancy import Viewer

RATING = "value.rating"


async def start_rating(
    tx: Tx, viewer: Viewer, as_of: datetime | None, currency: str | None, *, now: datetime
) -> Operation:
    """Have all customers be rated as of a time (the tenant's present, if none is given), in one currency.

    Raises:
        Conflict: nobody has bought anything yet.
    """
    chosen = currency or await store.main_currency(tx)
    if chosen is None:
        raise Conflict("Nobody has bought anything yet.", code="nothing_to_rate")
    when = as_of or (await lifecycle.rules(tx)).present(now)
    payload = {"as_of": when.isoformat(), "currency": chosen}
    return await start_operation(tx, RATING, payload, viewer=viewer, now=now)
