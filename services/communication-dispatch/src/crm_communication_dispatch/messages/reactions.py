"""What others' facts make this slice do."""

from datetime import datetime

from crm_communication_dispatch.messages.store import ledger
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant

REACTIONS = Reactions()


class Erased(Fact):
    """A customer has been forgotten."""

    erased_at: Instant


@REACTIONS.on("crm.customer.erased.v1", Erased)
async def erase_messages(tx: Tx, event: Received[Erased], *, now: datetime) -> None:
    """Keep that something was sent, but not to whom, nor what."""
    await ledger.redact(tx, [event.aggregate_id], now=now)
