"""Reading tickets with their clocks as they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_contact_center.calendars import store as calendars
from crm_contact_center.calendars.domain import OFFICE_HOURS, Calendar
from crm_contact_center.customers import store as customers
from crm_contact_center.tickets import store
from crm_contact_center.tickets.domain.cases import HistoryEntry, Ticket, TicketKind
from crm_contact_center.tickets.domain.clocks import Reading, Terms, readings
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class TicketWithClocks:
    """A ticket and what its clocks show."""

    ticket: Ticket
    clocks: list[Reading]


async def read_clocks(tx: Tx, history: Sequence[HistoryEntry], now: datetime) -> list[Reading]:
    """The clocks of a ticket as they stand, from its history, policies and calendars."""
    terms = {entry.sequence: await _terms(tx, entry) for entry in history if "policy_id" in entry.body}
    return readings(history, lambda entry: terms[entry.sequence], now)


async def get_ticket(tx: Tx, viewer: Viewer, ticket_id: UUID, now: datetime) -> TicketWithClocks | None:
    """One ticket with its clocks."""
    found = await store.get(tx, ticket_id)
    if found is None:
        return None
    return TicketWithClocks(found, await read_clocks(tx, await store.history(tx, ticket_id), now))


async def list_tickets(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Ticket]:
    """Tickets, newest first; a customer's include those under ids merged into theirs."""
    family = None
    if filters.customer_id is not None:
        family = (await customers.family(tx, [filters.customer_id]))[filters.customer_id]
    return await store.list_tickets(tx, viewer, filters, family, limit=limit, after=after)


async def history(
    tx: Tx, viewer: Viewer, filters: Any, ticket_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[HistoryEntry]:
    """What happened to a ticket, in order.

    Raises:
        NotFound: there is no such ticket.
    """
    if await store.get(tx, ticket_id) is None:
        raise NotFound.of("ticket", public_id("tkt", ticket_id))
    return await store.list_history(tx, viewer, filters, ticket_id, limit=limit, after=after)


async def _terms(tx: Tx, entry: HistoryEntry) -> Terms:
    """What a history entry says was promised: ids and versions, so that nothing promised ever changes behind it."""
    body = entry.body
    policy = await store.policy_version(tx, UUID(body["policy_id"]), body["policy_version"])
    return Terms(policy, await _calendar(tx, body), TicketKind(body["kind"]))


async def _calendar(tx: Tx, body: dict[str, str | int | None]) -> Calendar:
    calendar_id, version = body.get("calendar_id"), body.get("calendar_version")
    if calendar_id is None or not isinstance(version, int):
        return OFFICE_HOURS
    return await calendars.hours(tx, UUID(str(calendar_id)), version) or OFFICE_HOURS
