"""What time does to orders."""

from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.orders.commands.handling import note_overdue
from crm_sales_pipeline.orders.commands.placing import PAYMENT_DUE
from crm_shared.db.pool import Tx
from crm_shared.runtime import Due, Timers

TIMERS = Timers()


@TIMERS.on(PAYMENT_DUE)
async def payment_due(tx: Tx, due: Due, *, now: datetime) -> None:
    """An order's payment falls due."""
    await note_overdue(tx, UUID(due.key), now=now)
