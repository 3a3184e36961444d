"""Due work of this slice: somebody has to send."""

from datetime import datetime, timedelta

from crm_communication_dispatch.messages.loop import SENDERS
from crm_communication_dispatch.messages.scheduling import SEND, lease_key
from crm_communication_dispatch.messages.store import waves
from crm_shared.db.due import Due, Timers, schedule
from crm_shared.db.pool import Tx

TIMERS = Timers()
_LOOK_AGAIN = timedelta(milliseconds=500)


@TIMERS.on(SEND)
async def send_due(tx: Tx, due: Due, *, now: datetime) -> None:
    """Start a sender in this process, unless one is at work; then look again shortly, or when its lease ends."""
    channel = due.key.split(":", 1)[0]
    working = await waves.get_lane(tx, channel)
    if working is not None and working[1] > now:
        later = working[1] if due.key == lease_key(channel) else min(now + _LOOK_AGAIN, working[1])
        await schedule(tx, SEND, key=due.key, due_at=later)
        return
    SENDERS.want(tx, channel)
