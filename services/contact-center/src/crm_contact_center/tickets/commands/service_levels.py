"""Clocks of tickets: read, say what has to be said exactly once, and set the next due row."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from crm_contact_center.calendars import store as calendars
from crm_contact_center.tickets import store
from crm_contact_center.tickets.domain.cases import Ticket
from crm_contact_center.tickets.domain.clocks import next_due
from crm_contact_center.tickets.domain.policies import Policy
from crm_contact_center.tickets.events import SlaBreached, SlaWarned
from crm_contact_center.tickets.queries import read_clocks
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx

SLA = "ticket.sla"
"""The kind of the due row that looks at a ticket's clocks."""


async def settle(tx: Tx, ticket: Ticket, *, now: datetime) -> Ticket:
    """Say what has fallen due on a locked ticket, and have the next moment looked at.

    A warning that would come after its breach is left out. The notice's primary key makes each be said once, whoever
    settles: a command, or a timer on either of two workers.
    """
    clocks = await read_clocks(tx, await store.history(tx, ticket.id), now)
    for reading in clocks:
        breach = reading.breached_at
        if breach is not None:
            await store.say(tx, ticket.id, reading.clock, "warned", due_at=breach, at=now)
            if await store.say(tx, ticket.id, reading.clock, "breached", due_at=breach, at=now):
                tx.emit(
                    SlaBreached(
                        customer_id=ticket.customer_id, number=ticket.number, clock=reading.clock, due_at=breach
                    ),
                    aggregate_id=ticket.id,
                )
        elif (
            reading.due_at is not None
            and reading.warn_at is not None
            and reading.warn_at <= now
            and await store.say(tx, ticket.id, reading.clock, "warned", due_at=reading.due_at, at=now)
        ):
            tx.emit(
                SlaWarned(
                    customer_id=ticket.customer_id, number=ticket.number, clock=reading.clock, due_at=reading.due_at
                ),
                aggregate_id=ticket.id,
            )
    next_at = next_due(clocks, await store.notices(tx, ticket.id))
    if next_at is None:
        await unschedule(tx, SLA, key=str(ticket.id))
    else:
        await schedule(tx, SLA, key=str(ticket.id), due_at=max(next_at, now))
    return replace(ticket, next_due_at=next_at)


async def clock_due(tx: Tx, ticket_id: UUID, *, now: datetime) -> None:
    """A warning or a breach may have fallen due."""
    ticket = await store.lock(tx, ticket_id)
    if ticket is not None:
        await store.save(tx, await settle(tx, ticket, now=now), silently=True)


async def policy_now(tx: Tx, policy: Policy) -> Policy:
    """The policy with its calendar pinned to today's version, unless it is pinned already."""
    if policy.calendar_id is None or policy.calendar_version is not None:
        return policy
    found = await calendars.get(tx, policy.calendar_id)
    return replace(policy, calendar_version=found.version) if found else replace(policy, calendar_id=None)
