"""Uploads that never arrive whole."""

from datetime import datetime
from uuid import UUID

from crm_customer.transfer import commands
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(commands.ABANDONED)
async def abandoned(tx: Tx, due: Due, *, now: datetime) -> None:
    """Nobody finished this upload."""
    await commands.forget_upload(tx, Viewer.system(tx.tenant), UUID(due.payload["upload_id"]), now=now)
