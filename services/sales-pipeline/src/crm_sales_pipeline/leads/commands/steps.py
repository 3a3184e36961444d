"""What every lead command shares: reading for change, and leaving a step behind."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.assignment import commands as assignment
from crm_sales_pipeline.leads import store
from crm_sales_pipeline.leads.domain.leads import Lead, LeadState, check_move
from crm_sales_pipeline.leads.events import LeadAssigned
from crm_sales_pipeline.leads.store import Step
from crm_sales_pipeline.lists.domain import sees
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version

RECORD_KIND = "lead"
FIRST_CONTACT_DUE = "lead.first-contact"
RESURFACING_DUE = "lead.resurface"


async def lock(tx: Tx, viewer: Viewer, lead_id: UUID, *, expected: int | None = None) -> Lead:
    """The lead, ours to change until the transaction ends.

    Raises:
        NotFound: it isn't there, or the viewer may not see it.
        PreconditionFailed: it isn't as the sender saw it.
    """
    found = await store.get(tx, lead_id, lock=True)
    if found is None or not sees(viewer, partner=found.origin.partner, owner_id=found.owner_id):
        raise NotFound.of("lead", public_id("lead", lead_id))
    expect_version(found.version, expected)
    return found


async def move(tx: Tx, viewer: Viewer, before: Lead, after: Lead, *, now: datetime, reason: str | None = None) -> Lead:
    """Keep a lead that went from one state to another; the same state leaves no step."""
    if after.state is not before.state:
        check_move(before, after.state)
        await note_step(tx, viewer, after, came_from=before.state, now=now, reason=reason)
    kept = replace(after, version=before.version + 1)
    await store.save(tx, kept)
    await _keep_clocks(tx, before, kept)
    return kept


async def note_step(
    tx: Tx, viewer: Viewer, lead: Lead, *, came_from: LeadState | None, now: datetime, reason: str | None = None
) -> None:
    """Leave the row that says who moved the lead, and when."""
    step = Step(id=new_id(), from_state=came_from, to_state=lead.state, actor=viewer.subject, reason=reason, at=now)
    await store.add_step(tx, lead.id, step)


async def start_clocks(tx: Tx, lead: Lead) -> None:
    """Have a new lead's due times happen."""
    if lead.first_contact_due_at is not None:
        await schedule(tx, FIRST_CONTACT_DUE, key=str(lead.id), due_at=lead.first_contact_due_at)
    if lead.resurface_at is not None:
        await schedule(tx, RESURFACING_DUE, key=str(lead.id), due_at=lead.resurface_at)


async def choose_seller(tx: Tx, viewer: Viewer, lead: Lead, *, now: datetime) -> UUID | None:
    """Who the rules give the lead to, if any of them applies and somebody has room."""
    made = await assignment.assign(tx, viewer, record_of(lead), now=now)
    return made.chosen if made is not None else None


def record_of(lead: Lead) -> assignment.Record:
    """What assignment rules look at."""
    return assignment.Record(
        kind=RECORD_KIND,
        id=lead.id,
        source=lead.origin.source,
        window=lead.buying_window.value,
        partner=lead.origin.partner,
    )


def emit_assigned(tx: Tx, lead: Lead) -> None:
    """Say whose lead it is now."""
    assert lead.owner_id is not None
    tx.emit(
        LeadAssigned(customer_id=lead.customer_id, owner=lead.owner_id, first_contact_due_at=lead.first_contact_due_at),
        aggregate_id=lead.id,
    )


async def _keep_clocks(tx: Tx, before: Lead, after: Lead) -> None:
    for kind, was, due_at in (
        (FIRST_CONTACT_DUE, before.first_contact_due_at, after.first_contact_due_at),
        (RESURFACING_DUE, before.resurface_at, after.resurface_at),
    ):
        if due_at == was:
            continue
        if due_at is None:
            await unschedule(tx, kind, key=str(after.id))
        else:
            await schedule(tx, kind, key=str(after.id), due_at=due_at)
