"""What makes an interval worth closing: something of ours happened in it."""

from datetime import datetime

from crm_contact_center.metrics.commands import watch
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant

REACTIONS = Reactions()


class Happened(Fact):
    """When."""

    at: Instant


@REACTIONS.on("crm.interaction.queued.v1", Happened)
@REACTIONS.on("crm.interaction.ended.v1", Happened)
@REACTIONS.on("crm.agent.state-changed.v1", Happened)
@REACTIONS.on("crm.ticket.solved.v1", Happened)
async def something_happened(tx: Tx, event: Received[Happened], *, now: datetime) -> None:
    """Have that interval closed when it is over."""
    await watch(tx, event.data.at)
