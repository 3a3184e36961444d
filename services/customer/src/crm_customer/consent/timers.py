"""Consents that end by themselves."""

from datetime import datetime
from uuid import UUID

from crm_customer.consent import commands
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(commands.EXPIRY)
async def expired(tx: Tx, due: Due, *, now: datetime) -> None:
    """A grant's time is over."""
    customer_id, consent_id = UUID(due.payload["customer_id"]), UUID(due.payload["consent_id"])
    await commands.expire(tx, Viewer.system(tx.tenant), customer_id, consent_id, now=now)
