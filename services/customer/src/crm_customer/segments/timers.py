"""When segments look at customers again."""

from datetime import datetime
from uuid import UUID

from crm_customer.behaviour.domain import SEGMENTS_WORK
from crm_customer.segments.commands import membership
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx

TIMERS = Timers()


@TIMERS.on(SEGMENTS_WORK)
async def customers_touched(tx: Tx, due: Due, *, now: datetime) -> None:
    """Some customers changed."""
    await membership.reconsider(tx, [UUID(each) for each in due.payload["customers"]], now=now)
