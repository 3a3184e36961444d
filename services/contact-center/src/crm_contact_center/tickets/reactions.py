"""What other services' events mean for tickets."""

from datetime import datetime

from crm_contact_center.tickets import store
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

REACTIONS = Reactions()


class Nothing(Fact):
    """An event whose type says it all."""


@REACTIONS.on("crm.customer.erased.v1", Nothing)
async def customer_erased(tx: Tx, event: Received[Nothing], *, now: datetime) -> None:
    """Forget what the person wrote and was written to."""
    await store.scrub(tx, [event.aggregate_id])
