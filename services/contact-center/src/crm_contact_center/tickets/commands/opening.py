"""A matter begins: as a ticket with a number and running clocks."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from crm_contact_center.customers import store as customers
from crm_contact_center.interactions import store as interactions
from crm_contact_center.tickets import store
from crm_contact_center.tickets.commands.history import (
    check_assignee,
    emit,
    policy_for,
    promise,
    record,
)
from crm_contact_center.tickets.commands.service_levels import settle
from crm_contact_center.tickets.domain.cases import (
    Happening,
    Ticket,
    TicketKind,
    TicketPriority,
    TicketState,
)
from crm_contact_center.tickets.events import (
    TicketOpened,
)
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A customer's matter; what isn't said is taken from the interaction, if there was one."""

    kind: TicketKind
    subject: str | None = None
    description: str | None = None
    priority: TicketPriority = TicketPriority.NORMAL
    customer_id: UUID | None = None
    interaction_id: UUID | None = None
    channel: str | None = None
    department: str | None = None
    assignee: UUID | None = None
    expected: str | None = None
    delivered: str | None = None


async def open_ticket(tx: Tx, viewer: Viewer, data: NewTicket, *, now: datetime) -> Ticket:
    """A customer has a matter with us: it gets a number, and clocks begin to run.

    Raises:
        Invalid: there is no such interaction or agent, or neither subject nor interaction is given.
    """
    data = await _from_interaction(tx, data)
    await check_assignee(tx, data.assignee)
    known = (await customers.get_many(tx, [data.customer_id])).get(data.customer_id) if data.customer_id else None
    value_group = known.value_group if known else None
    channel = data.channel or "web_form"
    policy = await policy_for(tx, data.kind, data.priority, value_group, channel)
    assert data.subject is not None, "checked above"
    made = Ticket(
        id=new_id(),
        number=await store.next_number(tx),
        customer_id=data.customer_id,
        interaction_id=data.interaction_id,
        channel=channel,
        kind=data.kind,
        priority=data.priority,
        subject=data.subject,
        description=data.description,
        expected=data.expected,
        delivered=data.delivered,
        state=TicketState.OPEN,
        department=data.department,
        assignee=data.assignee,
        value_group=value_group,
        policy_id=policy.id,
        policy_version=policy.version,
        opened_at=now,
        first_response_at=None,
        solved_at=None,
        closed_at=None,
        next_due_at=None,
        last_event=0,
        version=0,
    )
    await store.insert_ticket(tx, made)
    body = {"state": TicketState.OPEN.value, **promise(policy, data.kind)}
    made = await record(tx, made, Happening.OPENED, viewer, now, body)
    emit(tx, TicketOpened, made, now)
    return await store.save(tx, await settle(tx, made, now=now))


async def _from_interaction(tx: Tx, data: NewTicket) -> NewTicket:
    if data.interaction_id is not None:
        source = await interactions.get(tx, data.interaction_id)
        if source is None:
            raise Invalid.field("/interaction_id", "There is no such interaction.", code="interaction_not_found")
        data = replace(
            data,
            customer_id=data.customer_id or source.customer_id,
            channel=data.channel or source.channel.value,
            subject=data.subject or source.subject,
        )
    if not data.subject:
        raise Invalid.field("/subject", "Say what it is about.", code="subject_missing")
    return data
