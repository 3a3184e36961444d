"""What others' facts make this slice do."""

from datetime import datetime

from crm_communication_dispatch.responses import store
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant

REACTIONS = Reactions()


class Erased(Fact):
    """A customer has been forgotten."""

    erased_at: Instant


@REACTIONS.on("crm.customer.erased.v1", Erased)
async def erase_responses(tx: Tx, event: Received[Erased], *, now: datetime) -> None:
    """Keep that they answered, but not what they wrote."""
    del now
    await store.redact(tx, [event.aggregate_id])
