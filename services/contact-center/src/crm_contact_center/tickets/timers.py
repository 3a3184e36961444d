"""What falls due on tickets."""

from datetime import datetime
from uuid import UUID

from crm_contact_center.tickets import store
from crm_contact_center.tickets.commands.cases import CLOSE, close
from crm_contact_center.tickets.commands.service_levels import SLA, clock_due
from crm_contact_center.tickets.domain.cases import TicketState
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(SLA)
async def sla_due(tx: Tx, due: Due, *, now: datetime) -> None:
    """A clock warns or breaches."""
    await clock_due(tx, UUID(due.key), now=now)


@TIMERS.on(CLOSE)
async def solved_long_ago(tx: Tx, due: Due, *, now: datetime) -> None:
    """Nobody has come back to a solved ticket."""
    found = await store.lock(tx, UUID(due.key))
    if found is not None and found.state is TicketState.SOLVED:
        await close(tx, Viewer.system(tx.tenant), found.id, now=now)
