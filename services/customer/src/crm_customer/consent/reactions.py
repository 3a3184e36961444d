"""What a customer's answer to a message means for consent: unsubscribing and complaining revoke."""

from datetime import datetime

from crm_customer.consent import commands
from crm_customer.consent.commands import Recording
from crm_customer.consent.domain import ConsentStatus
from crm_customer.fields import CustomerId
from crm_customer.parties.store import aliases, reading
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant
from crm_shared.tenancy import Viewer

REACTIONS = Reactions()


class OptedOut(Fact):
    """A message that its receiver wants no more of."""

    customer_id: CustomerId
    channel: str
    purpose: str
    at: Instant


@REACTIONS.on("crm.message.unsubscribed.v1", OptedOut)
@REACTIONS.on("crm.message.complained.v1", OptedOut)
async def revoke(tx: Tx, event: Received[OptedOut], *, now: datetime) -> None:
    """Revoke what the message was sent for; the event's id keeps a redelivery from being a second row."""
    answering = (await aliases.canonical(tx, [event.data.customer_id]))[event.data.customer_id]
    if not await reading.existing(tx, [answering]):
        return
    recording = Recording(
        customer_id=event.data.customer_id,
        purpose=event.data.purpose,
        channel=event.data.channel,
        status=ConsentStatus.REVOKED,
        effective_at=min(event.data.at, now),
        evidence=event.type,
        source="message",
        source_ref=str(event.event_id),
    )
    await commands.record(tx, Viewer.system(tx.tenant), recording, now=now)
