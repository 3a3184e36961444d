"""After what customers are asked: our own conversations and tickets, by our own events."""

from datetime import datetime

from crm_contact_center.references import AgentId, CustomerId
from crm_contact_center.surveys import commands, store
from crm_contact_center.surveys.commands import Contact
from crm_contact_center.surveys.domain import SurveyTrigger
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

REACTIONS = Reactions()


class InteractionEnded(Fact):
    """What we read of an ended conversation."""

    customer_id: CustomerId | None
    channel: str
    direction: str
    agent: AgentId | None


class TicketSolved(Fact):
    """What we read of a solved ticket."""

    customer_id: CustomerId | None
    channel: str


class Nothing(Fact):
    """An event whose type says it all."""


@REACTIONS.on("crm.interaction.ended.v1", InteractionEnded)
async def interaction_ended(tx: Tx, event: Received[InteractionEnded], *, now: datetime) -> None:
    """A customer has talked to an agent."""
    data = event.data
    if data.customer_id is None or data.agent is None or data.direction != "inbound":
        return
    contact = Contact(data.customer_id, data.channel, interaction_id=event.aggregate_id)
    await commands.ask_after(tx, SurveyTrigger.INTERACTION, contact, now=now)


@REACTIONS.on("crm.ticket.solved.v1", TicketSolved)
async def ticket_solved(tx: Tx, event: Received[TicketSolved], *, now: datetime) -> None:
    """A customer has been helped; a ticket solved twice is asked about once."""
    data = event.data
    if data.customer_id is None:
        return
    contact = Contact(data.customer_id, data.channel, ticket_id=event.aggregate_id)
    await commands.ask_after(tx, SurveyTrigger.TICKET, contact, now=now)


@REACTIONS.on("crm.customer.erased.v1", Nothing)
async def customer_erased(tx: Tx, event: Received[Nothing], *, now: datetime) -> None:
    """Forget what the person wrote; the score stays, as it names nobody."""
    await store.scrub(tx, event.aggregate_id)
