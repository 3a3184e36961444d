"""What falls due in routing."""

from datetime import datetime
from uuid import UUID

from crm_contact_center.agents.commands import PRESENCE
from crm_contact_center.routing.commands.conversations import WRAP_UP, wrap_up_over
from crm_contact_center.routing.commands.expiry import EXPIRY, expire_offers
from crm_contact_center.routing.commands.presence import presence_lapsed
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx

TIMERS = Timers()


@TIMERS.on(EXPIRY)
async def offers_expire(tx: Tx, due: Due, *, now: datetime) -> None:
    """A batch of offers has run out, and any that were left from before."""
    await expire_offers(tx, now=now)


@TIMERS.on(WRAP_UP)
async def wrap_up_ends(tx: Tx, due: Due, *, now: datetime) -> None:
    """An agent has had time enough to write up."""
    await wrap_up_over(tx, UUID(due.key), now=now)


@TIMERS.on(PRESENCE)
async def presence_ends(tx: Tx, due: Due, *, now: datetime) -> None:
    """No sign of life from an agent for the length of the lease."""
    await presence_lapsed(tx, UUID(due.key), now=now)
