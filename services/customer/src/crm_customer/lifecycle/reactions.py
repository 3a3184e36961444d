"""A new tenant's nights begin."""

from datetime import datetime

from crm_customer.lifecycle import commands
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

REACTIONS = Reactions()


class TenantCreated(Fact):
    """A tenant that has just been made; nothing of it matters here but that it is there."""


@REACTIONS.on("crm.tenant.created.v1", TenantCreated)
async def begin_nights(tx: Tx, event: Received[TenantCreated], *, now: datetime) -> None:
    """Schedule the first nightly evaluation."""
    await commands.schedule_nightly(tx, now=now)
