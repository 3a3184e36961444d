"""What time does to leads."""

from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.leads.commands.follow_up import breach_first_contact, resurface_lead
from crm_sales_pipeline.leads.commands.steps import FIRST_CONTACT_DUE, RESURFACING_DUE
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(FIRST_CONTACT_DUE)
async def first_contact_due(tx: Tx, due: Due, *, now: datetime) -> None:
    """The first-contact clock ran out."""
    await breach_first_contact(tx, Viewer.system(tx.tenant), UUID(due.key), now=now)


@TIMERS.on(RESURFACING_DUE)
async def resurfacing_due(tx: Tx, due: Due, *, now: datetime) -> None:
    """A lead's time has come."""
    await resurface_lead(tx, Viewer.system(tx.tenant), UUID(due.key), now=now)
