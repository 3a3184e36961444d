"""Due work of this slice: moving running campaigns on."""

from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.campaigns.commands import TICK
from crm_communication_dispatch.campaigns.running import move_campaign
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx

TIMERS = Timers()


@TIMERS.on(TICK)
async def tick(tx: Tx, due: Due, *, now: datetime) -> None:
    """Do what comes next."""
    await move_campaign(tx, UUID(due.key), now=now)
