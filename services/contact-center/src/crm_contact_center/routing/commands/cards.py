"""The screen-pop card: who calls, and what we have had to do with them. Made when the agent is reserved."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from crm_contact_center.customers import store as customers
from crm_contact_center.customers.domain import Customer
from crm_contact_center.interactions import store as interaction_store
from crm_contact_center.interactions.domain import Interaction
from crm_contact_center.tickets import store as tickets
from crm_contact_center.tickets.domain.cases import Ticket
from crm_shared.db.pool import Tx
from crm_shared.ids import public_id

_LAST = 5


async def cards(tx: Tx, calls: Collection[Interaction]) -> dict[UUID, dict[str, Any]]:
    """A card for each interaction, with a handful of statements for all of them."""
    callers = {call.customer_id for call in calls if call.customer_id is not None}
    if not callers:
        return {call.id: _card(call, None, [], []) for call in calls}
    family = await customers.family(tx, callers)
    everyone = {member for members in family.values() for member in members}
    known = await customers.get_many(tx, everyone)
    open_tickets = await tickets.open_of(tx, everyone)
    recent = await interaction_store.recent_of(tx, everyone, _LAST + 1)
    made: dict[UUID, dict[str, Any]] = {}
    for call in calls:
        members = family[call.customer_id] if call.customer_id else set[UUID]()
        before = sorted(
            (one for member in members for one in recent.get(member, ()) if one.id != call.id),
            key=lambda one: one.started_at,
            reverse=True,
        )
        theirs = [ticket for member in members for ticket in open_tickets.get(member, ())]
        made[call.id] = _card(call, _who(members, known, call.customer_id), theirs, before[:_LAST])
    return made


def _who(members: Collection[UUID], known: Mapping[UUID, Customer], asked: UUID | None) -> Customer | None:
    named = [known[member] for member in members if member in known and known[member].display_name]
    return next((one for one in named if one.id != asked), named[0] if named else known.get(asked) if asked else None)


def _card(
    call: Interaction, customer: Customer | None, tickets_: Collection[Ticket], before: Collection[Interaction]
) -> dict[str, Any]:
    return {
        "caller": {
            "address": call.from_address,
            "channel": str(call.channel),
            "subject": call.subject,
            "recognised": call.recognised,
            "customer_id": public_id("cus", call.customer_id) if call.customer_id else None,
        },
        "customer": None if customer is None or customer.erased else _customer(customer),
        "open_tickets": [
            {
                "id": public_id("tkt", ticket.id),
                "number": ticket.number,
                "kind": ticket.kind.value,
                "state": ticket.state.value,
                "subject": ticket.subject,
                "priority": ticket.priority.value,
                "opened_at": ticket.opened_at.isoformat(),
            }
            for ticket in sorted(tickets_, key=lambda one: one.number)
        ],
        "recent_interactions": [
            {
                "id": public_id("int", one.id),
                "channel": str(one.channel),
                "state": str(one.state),
                "subject": one.subject,
                "disposition": one.disposition,
                "started_at": one.started_at.isoformat(),
            }
            for one in before
        ],
    }


def _customer(customer: Customer) -> dict[str, Any]:
    return {
        "id": public_id("cus", customer.id),
        "display_name": customer.display_name,
        "language": customer.language,
        "value_group": customer.value_group,
        "lifecycle": customer.lifecycle,
        "open_deals": customer.open_deals,
        "orders": customer.orders,
        "last_order_at": customer.last_order_at.isoformat() if customer.last_order_at else None,
    }
