"""Following leads up: assign, contact, qualify, recycle, close, and let time do its part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_sales_pipeline.assignment import commands as assignment
from crm_sales_pipeline.assignment.store import get_seller
from crm_sales_pipeline.customers import store as customers
from crm_sales_pipeline.leads import store
from crm_sales_pipeline.leads.commands.steps import (
    RECORD_KIND,
    choose_seller,
    emit_assigned,
    lock,
    move,
    record_of,
)
from crm_sales_pipeline.leads.domain.leads import (
    Contact,
    Lead,
    LeadState,
    check_move,
    check_reachable,
    seconds_between,
)
from crm_sales_pipeline.leads.domain.scoring import score, total
from crm_sales_pipeline.leads.domain.windows import BuyingWindow, WindowPolicy, check_policy, treat
from crm_sales_pipeline.leads.events import LeadContacted, LeadConverted, LeadRecycled, LeadSlaBreached
from crm_sales_pipeline.lists.domain import user_of
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid
from crm_shared.tenancy import Viewer

_REST = timedelta(days=90)
_IN_HAND = (LeadState.WORKING, LeadState.QUALIFIED)


@dataclass(frozen=True, slots=True)
class Recycle:
    """Why not now, when again, and in which window then (None: as the present window's policy says)."""

    reason: str
    resurface_at: datetime | None = None
    resurface_as: BuyingWindow | None = None


async def assign_lead(
    tx: Tx, viewer: Viewer, lead_id: UUID, owner_id: UUID | None, *, expected: int | None, now: datetime
) -> Lead:
    """Give a lead to a seller, or (with None) let the rules choose again.

    Raises:
        Conflict: the seller isn't available, or no rule finds anybody.
    """
    lead = await lock(tx, viewer, lead_id, expected=expected)
    if not lead.is_open:
        raise Conflict(f"A lead that is {lead.state} is not assigned any more.", code=f"lead_{lead.state}")
    chosen = (
        await _named(tx, viewer, lead, owner_id, now=now)
        if owner_id
        else await choose_seller(tx, viewer, lead, now=now)
    )
    if chosen is None:
        raise Conflict("No assignment rule finds a seller with room for this lead.", code="no_seller")
    state = LeadState.ASSIGNED if lead.state in (LeadState.NEW, LeadState.RECYCLED) else lead.state
    kept = await move(tx, viewer, lead, replace(lead, owner_id=chosen, state=state), now=now)
    emit_assigned(tx, kept)
    return kept


async def contact_lead(
    tx: Tx, viewer: Viewer, lead_id: UUID, at: datetime | None, *, expected: int | None, now: datetime
) -> Lead:
    """Record that somebody got in touch: stops the clock and, the first time, says how long it took."""
    lead = await lock(tx, viewer, lead_id, expected=expected)
    if lead.state in _IN_HAND and lead.first_contact_due_at is None:
        return lead
    if lead.state not in _IN_HAND:
        check_move(lead, LeadState.WORKING)
    contacted_at = min(at or now, now)
    seconds = seconds_between(lead.clock_started_at, contacted_at)
    owner_id = lead.owner_id or await _taken_by(tx, viewer, lead, now=now)
    after = replace(
        lead,
        state=lead.state if lead.state in _IN_HAND else LeadState.WORKING,
        owner_id=owner_id,
        contacted_at=lead.contacted_at or contacted_at,
        seconds_to_contact=seconds if lead.seconds_to_contact is None else lead.seconds_to_contact,
        first_contact_due_at=None,
        reason=None,
    )
    kept = await move(tx, viewer, lead, after, now=now)
    tx.emit(
        LeadContacted(
            customer_id=kept.customer_id,
            owner=kept.owner_id,
            contacted_at=contacted_at,
            seconds_to_contact=seconds,
            campaign_id=kept.origin.campaign_id,
        ),
        aggregate_id=kept.id,
    )
    return kept


async def qualify_lead(tx: Tx, viewer: Viewer, lead_id: UUID, *, expected: int | None, now: datetime) -> Lead:
    """The seller is convinced that there is something to sell."""
    lead = await lock(tx, viewer, lead_id, expected=expected)
    if lead.state is LeadState.QUALIFIED:
        return lead
    return await move(tx, viewer, lead, replace(lead, state=LeadState.QUALIFIED), now=now)


async def recycle_lead(
    tx: Tx, viewer: Viewer, lead_id: UUID, data: Recycle, *, expected: int | None, now: datetime
) -> Lead:
    """Not now: put the lead away until its time comes: the one given, else its window's, else in a quarter.

    Raises:
        Invalid: the time given is past.
    """
    lead = await lock(tx, viewer, lead_id, expected=expected)
    check_move(lead, LeadState.RECYCLED)
    policy = (await store.policies(tx))[lead.buying_window]
    resurface_at = data.resurface_at or treat(policy, now=now).resurface_at or now + _REST
    if resurface_at <= now:
        raise Invalid.field("/resurface_at", "A lead comes back in the future.", code="in_the_past")
    after = replace(
        lead,
        state=LeadState.RECYCLED,
        owner_id=None,
        first_contact_due_at=None,
        resurface_at=resurface_at,
        resurface_as=data.resurface_as
        or (policy.resurface_as if data.resurface_at is None else None)
        or BuyingWindow.NOW,
        reason=data.reason,
    )
    kept = await move(tx, viewer, lead, after, now=now, reason=data.reason)
    await assignment.release(tx, RECORD_KIND, lead.id, now=now)
    tx.emit(
        LeadRecycled(customer_id=kept.customer_id, reason=data.reason, resurface_at=resurface_at), aggregate_id=kept.id
    )
    return kept


async def close_lead(
    tx: Tx, viewer: Viewer, lead_id: UUID, reason: str, *, expected: int | None, now: datetime
) -> Lead:
    """Nothing will come of it."""
    lead = await lock(tx, viewer, lead_id, expected=expected)
    after = replace(
        lead,
        state=LeadState.DEAD,
        first_contact_due_at=None,
        resurface_at=None,
        resurface_as=None,
        ended_at=now,
        reason=reason,
    )
    kept = await move(tx, viewer, lead, after, now=now, reason=reason)
    await assignment.release(tx, RECORD_KIND, lead.id, now=now)
    return kept


async def change_lead(
    tx: Tx, viewer: Viewer, lead_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Lead:
    """Change what is known of a lead. A new buying window (pulled forward or put off) starts its policy."""
    lead = await lock(tx, viewer, lead_id, expected=expected)
    if not lead.is_open:
        raise Conflict(f"A lead that is {lead.state} doesn't change any more.", code=f"lead_{lead.state}")
    window: BuyingWindow = changes.get("buying_window") or lead.buying_window
    known = {name: changes[name] for name in ("name", "email", "phone", "company") if name in changes}
    contact: Contact = replace(lead.contact, **known)
    check_reachable(customer_id=lead.customer_id, contact=contact)
    changed = replace(lead, contact=contact, interest=changes.get("interest", lead.interest))
    if window is not lead.buying_window:
        changed = await _enter_window(tx, viewer, changed, window, now=now)
    if contact != lead.contact or window is not lead.buying_window:
        changed = await _score_again(tx, changed)
    kept = await move(tx, viewer, lead, changed, now=now)
    if kept.owner_id is not None and kept.owner_id != lead.owner_id:
        emit_assigned(tx, kept)
    return kept


async def resurface_lead(tx: Tx, viewer: Viewer, lead_id: UUID, *, now: datetime) -> Lead | None:
    """Its time has come: the lead is in a nearer window now and treated accordingly. None when that is past caring."""
    lead = await store.get(tx, lead_id, lock=True)
    if lead is None or not lead.is_open or lead.resurface_at is None or lead.resurface_at > now:
        return None
    policy = (await store.policies(tx))[lead.buying_window]
    window = lead.resurface_as or policy.resurface_as or BuyingWindow.NOW
    waiting = replace(
        lead,
        resurfaced=lead.resurfaced + 1,
        resurface_as=None,
        reason=None,
    )
    changed = await _score_again(tx, await _enter_window(tx, viewer, waiting, window, now=now))
    kept = await move(tx, viewer, lead, changed, now=now, reason="resurfaced")
    if kept.owner_id is not None and (kept.owner_id != lead.owner_id or kept.first_contact_due_at is not None):
        emit_assigned(tx, kept)
    return kept


async def breach_first_contact(tx: Tx, viewer: Viewer, lead_id: UUID, *, now: datetime) -> bool:
    """Nobody got in touch in time: say so, once for each run of the clock."""
    del viewer
    lead = await store.get(tx, lead_id, lock=True)
    if lead is None or not lead.is_open or lead.sla_breached_at is not None:
        return False
    due_at = lead.first_contact_due_at
    if due_at is None or due_at > now:
        return False
    await store.save(tx, replace(lead, sla_breached_at=now, version=lead.version + 1))
    tx.emit(LeadSlaBreached(customer_id=lead.customer_id, owner=lead.owner_id, due_at=due_at), aggregate_id=lead.id)
    return True


async def mark_converted(
    tx: Tx, viewer: Viewer, lead: Lead, *, customer_id: UUID, deal_id: UUID, now: datetime
) -> Lead:
    """The lead, locked by the caller, is part of a deal from now on."""
    after = replace(
        lead,
        state=LeadState.CONVERTED,
        customer_id=customer_id,
        deal_id=deal_id,
        first_contact_due_at=None,
        resurface_at=None,
        resurface_as=None,
        ended_at=now,
    )
    if lead.customer_id is None:
        await store.set_customer(tx, lead.id, customer_id)
    kept = await move(tx, viewer, lead, after, now=now)
    await assignment.release(tx, RECORD_KIND, lead.id, now=now)
    tx.emit(
        LeadConverted(customer_id=customer_id, deal_id=deal_id, campaign_id=kept.origin.campaign_id),
        aggregate_id=kept.id,
    )
    return kept


async def set_policy(tx: Tx, viewer: Viewer, policy: WindowPolicy, *, now: datetime) -> WindowPolicy:
    """Treat a window differently from now on; leads already treated stay as they are."""
    del viewer, now
    check_policy(policy)
    await store.save_policy(tx, policy)
    return policy


async def _taken_by(tx: Tx, viewer: Viewer, lead: Lead, *, now: datetime) -> UUID | None:
    """Whoever contacts a lead of the pool has it, and carries it if they are a seller."""
    user = user_of(viewer)
    seller = await get_seller(tx, user) if user is not None else None
    if seller is not None and seller.active:
        await assignment.assign_to(tx, viewer, record_of(lead), seller.id, now=now)
    return user


async def _named(tx: Tx, viewer: Viewer, lead: Lead, owner_id: UUID, *, now: datetime) -> UUID:
    seller = await get_seller(tx, owner_id)
    if viewer.partner is not None and (seller is None or seller.partner != viewer.partner):
        raise Conflict("A partner assigns its own sellers only.", code="seller_unavailable")
    await assignment.assign_to(tx, viewer, record_of(lead), owner_id, now=now)
    return owner_id


async def _enter_window(tx: Tx, viewer: Viewer, lead: Lead, window: BuyingWindow, *, now: datetime) -> Lead:
    policy = (await store.policies(tx))[window]
    treatment = treat(policy, now=now)
    state = LeadState.NEW if lead.state is LeadState.RECYCLED else lead.state
    entered = replace(lead, buying_window=window, resurface_at=treatment.resurface_at, state=state)
    if state in _IN_HAND:
        return entered
    clocked = replace(
        entered,
        clock_started_at=now,
        first_contact_due_at=treatment.first_contact_due_at,
        sla_breached_at=None,
    )
    if not policy.wants_seller or clocked.owner_id is not None:
        return clocked
    owner_id = await choose_seller(tx, viewer, clocked, now=now)
    if owner_id is None:
        return clocked
    return replace(clocked, owner_id=owner_id, state=LeadState.ASSIGNED)


async def _score_again(tx: Tx, lead: Lead) -> Lead:
    customer = await customers.get(tx, lead.customer_id) if lead.customer_id is not None else None
    reasons = score(
        window=lead.buying_window,
        origin=lead.origin,
        contact=lead.contact,
        customer_state=customer.lifecycle if customer is not None else None,
    )
    await store.save_score(tx, lead.id, reasons)
    return replace(lead, score=total(reasons))
