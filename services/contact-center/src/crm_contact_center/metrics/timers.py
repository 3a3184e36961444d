"""What falls due in metrics."""

from datetime import datetime

from crm_contact_center.metrics.commands import CLOSE, close_interval
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx

TIMERS = Timers()


@TIMERS.on(CLOSE)
async def interval_over(tx: Tx, due: Due, *, now: datetime) -> None:
    """A quarter of an hour is over."""
    await close_interval(tx, datetime.fromisoformat(due.key), now=now)
