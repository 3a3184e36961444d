"""What time does to quotes."""

from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.quotes.commands import EXPIRY_DUE, expire_quote
from crm_shared.db.pool import Tx
from crm_shared.runtime import Due, Timers
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(EXPIRY_DUE)
async def expiry_due(tx: Tx, due: Due, *, now: datetime) -> None:
    """A quote's validity ends."""
    await expire_quote(tx, Viewer.system(tx.tenant), UUID(due.key), now=now)
