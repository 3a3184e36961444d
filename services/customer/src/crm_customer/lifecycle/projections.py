"""Who has been approached: leads, and messages of campaigns."""

from collections.abc import Sequence
from datetime import datetime

from crm_customer.behaviour.domain import LIFECYCLE_WORK
from crm_customer.fields import CustomerId
from crm_customer.lifecycle import store
from crm_customer.parties.store import aliases
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

PROJECTIONS = Projections()


class Approach(Fact):
    """A lead, or a message of a campaign."""

    customer_id: CustomerId | None = None
    campaign_id: str | None = None


@PROJECTIONS.on("crm.lead.captured.v1", Approach)
@PROJECTIONS.on("crm.message.accepted.v1", Approach)
async def approached(tx: Tx, events: Sequence[Received[Approach]]) -> None:
    """Remember whom we went after, and have the rules look at those for whom it is the first time."""
    meant = [
        (event.data.customer_id, event.occurred_at)
        for event in events
        if event.data.customer_id is not None and (event.data.campaign_id or event.type == "crm.lead.captured.v1")
    ]
    if not meant:
        return
    answering = await aliases.canonical(tx, [customer_id for customer_id, _ in meant])
    at: datetime = max(when for _, when in meant)
    fresh = await store.aim_at(tx, list(set(answering.values())), at=at)
    if fresh:
        payload = {"customers": [str(each) for each in fresh]}
        await schedule(tx, LIFECYCLE_WORK, key=str(events[0].event_id), due_at=at, payload=payload)
