"""When lifecycles are looked at again: after behaviour changed, and every night."""

from datetime import datetime
from uuid import UUID

from crm_customer.behaviour.domain import LIFECYCLE_WORK
from crm_customer.lifecycle import commands, store
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(LIFECYCLE_WORK)
async def behaviour_changed(tx: Tx, due: Due, *, now: datetime) -> None:
    """Some customers bought, or were approached."""
    ids = [UUID(each) for each in due.payload["customers"]]
    await commands.evaluate(tx, ids, await store.rules(tx), now=now)


@TIMERS.on(commands.NIGHTLY)
async def nightly(tx: Tx, due: Due, *, now: datetime) -> None:
    """Idleness shows only with time."""
    await commands.start_evaluation(tx, Viewer.system(tx.tenant), None, now=now)
    await commands.schedule_nightly(tx, now=now)
