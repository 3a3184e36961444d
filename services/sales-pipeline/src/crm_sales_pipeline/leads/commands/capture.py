"""Taking interest in, once, and starting whatever its buying window asks for."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.customers import store as customers
from crm_sales_pipeline.customers.commands import meet
from crm_sales_pipeline.leads import store
from crm_sales_pipeline.leads.commands.steps import choose_seller, emit_assigned, note_step, start_clocks
from crm_sales_pipeline.leads.domain.leads import (
    Contact,
    Lead,
    LeadState,
    Origin,
    check_reachable,
    identity_of,
)
from crm_sales_pipeline.leads.domain.scoring import score, total
from crm_sales_pipeline.leads.domain.windows import BuyingWindow, Treatment, WindowPolicy, treat
from crm_sales_pipeline.leads.events import LeadCaptured
from crm_sales_pipeline.lists.domain import partner_for, sees
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class CaptureLead:
    """What is known when interest shows. `captured_at` is when it showed, None for now."""

    origin: Origin
    contact: Contact
    customer_id: UUID | None
    window: BuyingWindow
    interest: str | None
    captured_at: datetime | None = None


async def capture_lead(tx: Tx, viewer: Viewer, data: CaptureLead, *, now: datetime) -> Lead:
    """Take a lead in; the same again (by the source's key, or open and of the same person) is returned as it is.

    Raises:
        Gone: the customer has been erased.
    """
    check_reachable(customer_id=data.customer_id, contact=data.contact)
    origin = replace(data.origin, partner=partner_for(viewer, data.origin.partner))
    identity = identity_of(customer_id=data.customer_id, contact=data.contact)
    known = await store.find_same(tx, origin, identity=identity)
    if known is None:
        made = await _insert(tx, viewer, replace(data, origin=origin), identity=identity, now=now)
        if made is not None:
            return made
        # Somebody else captured it between our look and our insert; they have committed by now.
        known = await store.find_same(tx, origin, identity=identity)
    found = await store.get(tx, known) if known is not None else None
    if found is None or not sees(viewer, partner=found.origin.partner, owner_id=found.owner_id):
        raise Conflict("This lead is here already, and it isn't yours to see.", code="lead_exists")
    return found


async def _insert(tx: Tx, viewer: Viewer, data: CaptureLead, *, identity: str, now: datetime) -> Lead | None:
    customer_id, customer_state = await _recognise(tx, data)
    policy = (await store.policies(tx))[data.window]
    reasons = score(window=data.window, origin=data.origin, contact=data.contact, customer_state=customer_state)
    fresh = _fresh(data, customer_id=customer_id, points=total(reasons), treatment=treat(policy, now=now), now=now)
    if not await store.insert_new(tx, fresh, identity=identity, reasons=reasons):
        return None
    await note_step(tx, viewer, fresh, came_from=None, now=now)
    _emit_captured(tx, fresh, policy)
    made = await _hand_over(tx, viewer, fresh, now=now) if policy.wants_seller else fresh
    await start_clocks(tx, made)
    return made


async def _recognise(tx: Tx, data: CaptureLead) -> tuple[UUID | None, str | None]:
    """The customer behind a lead, said or found by address, and their lifecycle state."""
    customer_id = data.customer_id
    if customer_id is None and data.contact.email:
        customer_id = await customers.find_by_email(tx, data.contact.email)
    if customer_id is None:
        return None, None
    return customer_id, (await meet(tx, customer_id)).lifecycle


async def _hand_over(tx: Tx, viewer: Viewer, lead: Lead, *, now: datetime) -> Lead:
    owner_id = await choose_seller(tx, viewer, lead, now=now)
    if owner_id is None:
        return lead
    assigned = replace(lead, state=LeadState.ASSIGNED, owner_id=owner_id)
    await store.save(tx, assigned)
    await note_step(tx, viewer, assigned, came_from=lead.state, now=now)
    emit_assigned(tx, assigned)
    return assigned


def _fresh(data: CaptureLead, *, customer_id: UUID | None, points: int, treatment: Treatment, now: datetime) -> Lead:
    captured_at = min(data.captured_at or now, now)
    return Lead(
        id=new_id(),
        customer_id=customer_id,
        contact=data.contact,
        origin=data.origin,
        interest=data.interest,
        captured_window=data.window,
        buying_window=data.window,
        state=LeadState.NEW,
        owner_id=None,
        score=points,
        captured_at=captured_at,
        clock_started_at=captured_at,
        first_contact_due_at=treatment.first_contact_due_at,
        sla_breached_at=None,
        contacted_at=None,
        seconds_to_contact=None,
        resurface_at=treatment.resurface_at,
        resurface_as=None,
        resurfaced=0,
        ended_at=None,
        reason=None,
        deal_id=None,
        version=1,
    )


def _emit_captured(tx: Tx, lead: Lead, policy: WindowPolicy) -> None:
    tx.emit(
        LeadCaptured(
            customer_id=lead.customer_id,
            source=lead.origin.source,
            campaign_id=lead.origin.campaign_id,
            response_id=lead.origin.response_id,
            buying_window=lead.buying_window,
            approach=policy.approach.value,
            interest=lead.interest,
            captured_at=lead.captured_at,
        ),
        aggregate_id=lead.id,
    )
