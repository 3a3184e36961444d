"""Routes of tickets and service-level policies."""

from typing import Annotated

from fastapi import Query, Response

from crm_contact_center.references import PolicyId, TicketId
from crm_contact_center.tickets import queries, store
from crm_contact_center.tickets.commands import cases, opening, policies
from crm_contact_center.tickets.schemas import (
    SlaPolicyCreate,
    SlaPolicyFilter,
    SlaPolicyPage,
    SlaPolicyRead,
    SlaPolicyUpdate,
    TicketAnswer,
    TicketCreate,
    TicketDetail,
    TicketFilter,
    TicketHandOff,
    TicketHistoryFilter,
    TicketHistoryPage,
    TicketHistoryRead,
    TicketMessage,
    TicketPage,
    TicketRead,
    TicketUpdate,
    TicketWait,
)
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(prefix="/v1/tickets", tag="tickets", about="Matters of customers: opened, handed on, solved, closed.")
sla = Router(prefix="/v1/sla-policies", tag="sla-policies", about="How soon tickets are to be answered and solved.")

Writer = Annotated[Call, needs("tickets:write")]
Reader = Annotated[Call, needs("tickets:read")]


@router.post("", status_code=201, response_model=TicketRead)
async def open(body: TicketCreate, call: Writer) -> Response:
    """Open a ticket; it gets a number, and its clocks begin to run."""
    return await call.write(opening.open_ticket, body.to_domain(), answer=TicketRead.of)


@router.get("", response_model=TicketPage)
async def list(filters: Annotated[TicketFilter, Query()], call: Reader) -> Response:
    """Tickets, newest first."""
    return await call.page(
        queries.list_tickets, filters, answer=TicketRead.of, key=lambda ticket: (ticket.opened_at, ticket.id)
    )


@router.get("/{ticket_id}", response_model=TicketDetail)
async def get(ticket_id: TicketId, call: Reader) -> Response:
    """One ticket with its clocks, computed now."""
    return await call.read(queries.get_ticket, ticket_id, call.now, answer=TicketDetail.whole)


@router.patch("/{ticket_id}", response_model=TicketRead)
async def update(ticket_id: TicketId, body: TicketUpdate, call: Writer) -> Response:
    """Change what a ticket says of itself; another kind or priority may bring another service level."""
    changes = body.model_dump(exclude_unset=True)
    return await call.write(cases.change, ticket_id, changes, expected=call.if_match(), answer=TicketRead.of)


@router.get("/{ticket_id}/events", response_model=TicketHistoryPage)
async def events(ticket_id: TicketId, filters: Annotated[TicketHistoryFilter, Query()], call: Reader) -> Response:
    """What happened to a ticket, in order."""
    return await call.page(
        queries.history, filters, ticket_id, answer=TicketHistoryRead.of, key=lambda entry: (entry.sequence,)
    )


@router.post("/{ticket_id}/reply", response_model=TicketRead)
async def reply(ticket_id: TicketId, body: TicketMessage, call: Writer) -> Response:
    """Reply to the customer."""
    return await call.write(cases.reply, ticket_id, body.text, answer=TicketRead.of)


@router.post("/{ticket_id}/note", response_model=TicketRead)
async def note(ticket_id: TicketId, body: TicketMessage, call: Writer) -> Response:
    """Add a note for colleagues; the customer doesn't see it, and no clock stops."""
    return await call.write(cases.note, ticket_id, body.text, answer=TicketRead.of)


@router.post("/{ticket_id}/customer-reply", response_model=TicketRead)
async def customer_reply(ticket_id: TicketId, body: TicketMessage, call: Writer) -> Response:
    """Record what the customer writes; a solved ticket is reopened by it."""
    return await call.write(cases.customer_replied, ticket_id, body.text, answer=TicketRead.of)


@router.post("/{ticket_id}/wait", response_model=TicketRead)
async def wait(ticket_id: TicketId, body: TicketWait, call: Writer) -> Response:
    """Wait for the customer or a supplier; clocks pause where the policy says so."""
    return await call.write(cases.wait_for, ticket_id, body.state, body.reason, answer=TicketRead.of)


@router.post("/{ticket_id}/hand-off", response_model=TicketRead)
async def hand_off(ticket_id: TicketId, body: TicketHandOff, call: Writer) -> Response:
    """Hand a ticket to a department; it stays pending until the department is done."""
    return await call.write(cases.hand_off, ticket_id, body.department, body.question, answer=TicketRead.of)


@router.post("/{ticket_id}/resume", response_model=TicketRead)
async def resume(ticket_id: TicketId, body: TicketAnswer, call: Writer) -> Response:
    """Resume a ticket that was pending; it is our turn again."""
    return await call.write(cases.resume, ticket_id, body.text, answer=TicketRead.of)


@router.post("/{ticket_id}/solve", response_model=TicketRead)
async def solve(ticket_id: TicketId, body: TicketAnswer, call: Writer) -> Response:
    """Solve a ticket; the customer has been helped."""
    return await call.write(cases.solve, ticket_id, body.text, answer=TicketRead.of)


@router.post("/{ticket_id}/reopen", response_model=TicketRead)
async def reopen(ticket_id: TicketId, body: TicketAnswer, call: Writer) -> Response:
    """Reopen a solved ticket; the clock of its resolution runs on."""
    return await call.write(cases.reopen, ticket_id, body.text, answer=TicketRead.of)


@router.post("/{ticket_id}/close", response_model=TicketRead)
async def close(ticket_id: TicketId, call: Writer) -> Response:
    """Close a ticket; the matter is over for good."""
    return await call.write(cases.close, ticket_id, answer=TicketRead.of)


@sla.post("", status_code=201, response_model=SlaPolicyRead)
async def create(body: SlaPolicyCreate, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Create a service-level policy, for tickets opened or reclassified from now on."""
    return await call.write(policies.create_policy, body.to_domain(), answer=SlaPolicyRead.of)


@sla.get("", response_model=SlaPolicyPage, name="list")
async def list_policies(filters: Annotated[SlaPolicyFilter, Query()], call: Reader) -> Response:
    """Service-level policies; where none matches, built-in ones hold."""
    return await call.page(store.list_policies, filters, answer=SlaPolicyRead.of, key=lambda policy: (policy.id,))


@sla.get("/{policy_id}", response_model=SlaPolicyRead, name="get")
async def get_policy(policy_id: PolicyId, call: Reader) -> Response:
    """One service-level policy."""
    return await call.read(store.view_policy, policy_id, answer=SlaPolicyRead.of)


@sla.patch("/{policy_id}", response_model=SlaPolicyRead, name="update")
async def update_policy(
    policy_id: PolicyId, body: SlaPolicyUpdate, call: Annotated[Call, needs("routing:admin")]
) -> Response:
    """Change a service-level policy; tickets keep the version they were promised."""
    return await call.write(
        policies.change_policy, policy_id, body.changes(), expected=call.if_match(), answer=SlaPolicyRead.of
    )


@sla.delete("/{policy_id}", status_code=204)
async def retire(policy_id: PolicyId, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Retire a service-level policy; no new ticket falls under it."""
    return await call.write(policies.retire_policy, policy_id)
