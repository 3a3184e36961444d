"""Due work of this slice: looking whether a segment has arrived."""

from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.audiences.commands import LOOK, look_for_members
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx

TIMERS = Timers()


@TIMERS.on(LOOK)
async def look(tx: Tx, due: Due, *, now: datetime) -> None:
    """Look again."""
    await look_for_members(tx, UUID(due.key), now=now)
