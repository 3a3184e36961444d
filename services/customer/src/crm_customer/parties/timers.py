"""When words of names are forgotten."""

from datetime import datetime

from crm_customer.parties.store import vocabulary
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx

TIMERS = Timers()


@TIMERS.on(vocabulary.WORDS_LOST)
async def words_lost(tx: Tx, due: Due, *, now: datetime) -> None:
    """Customers were renamed or erased."""
    await vocabulary.forget(tx, due.payload["words"])
