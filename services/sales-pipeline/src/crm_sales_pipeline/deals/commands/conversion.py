"""Turning a lead into a deal: once, and into the deal that is there already if there is one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.customers import store as customers
from crm_sales_pipeline.customers.commands import meet
from crm_sales_pipeline.deals import store
from crm_sales_pipeline.deals.commands.dealing import OpenDeal, lock, open_deal
from crm_sales_pipeline.deals.domain import Deal
from crm_sales_pipeline.leads.commands.follow_up import mark_converted
from crm_sales_pipeline.leads.commands.steps import lock as lock_lead
from crm_sales_pipeline.leads.domain.leads import Lead, LeadState, check_move
from crm_sales_pipeline.pipelines.commands import pipeline_for
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict
from crm_shared.money import Money
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class ConvertLead:
    """How to convert: `deal_id` joins that deal; `new_deal` opens one even if the customer has an open deal."""

    customer_id: UUID | None = None
    deal_id: UUID | None = None
    new_deal: bool = False
    pipeline_id: UUID | None = None
    name: str | None = None
    amount: Money | None = None


async def convert_lead(
    tx: Tx, viewer: Viewer, lead_id: UUID, data: ConvertLead, *, expected: int | None, now: datetime
) -> Deal:
    """Convert a lead; converting it again answers with the same deal.

    The lead's customer is the one it came with, else the one with its address, else the one named here. Unless told
    otherwise it joins the customer's newest open deal in that pipeline.

    Raises:
        Conflict: the lead isn't far enough, has no customer yet, or names a deal of somebody else.
    """
    lead = await lock_lead(tx, viewer, lead_id)
    if lead.state is LeadState.CONVERTED:
        return await _known_deal(tx, lead)
    expect_version(lead.version, expected)
    check_move(lead, LeadState.CONVERTED)
    # Locks the customer: two of their leads converting at once must not open two deals.
    customer = await meet(tx, await _customer_of(tx, lead, data))
    deal = await _deal_for(tx, viewer, lead, data, customer_id=customer.id, now=now)
    await store.link_lead(tx, lead_id=lead.id, deal_id=deal.id, at=now)
    await mark_converted(tx, viewer, lead, customer_id=customer.id, deal_id=deal.id, now=now)
    return deal


async def _known_deal(tx: Tx, lead: Lead) -> Deal:
    assert lead.deal_id is not None
    deal = await store.get(tx, lead.deal_id)
    assert deal is not None
    return deal


async def _customer_of(tx: Tx, lead: Lead, data: ConvertLead) -> UUID:
    found = lead.customer_id
    if found is None and lead.contact.email:
        found = await customers.find_by_email(tx, lead.contact.email)
    named = await customers.root_of(tx, data.customer_id) if data.customer_id is not None else None
    if lead.customer_id is not None and named is not None and named != lead.customer_id:
        raise Conflict("This lead belongs to another customer.", code="customer_mismatch")
    customer_id = named or found
    if customer_id is None:
        detail = "This lead has no customer yet; register one with the customer service and name it here."
        raise Conflict(detail, code="customer_required")
    return customer_id


async def _deal_for(tx: Tx, viewer: Viewer, lead: Lead, data: ConvertLead, *, customer_id: UUID, now: datetime) -> Deal:
    joined = data.deal_id
    pipeline = await pipeline_for(tx, data.pipeline_id)
    if joined is None and not data.new_deal:
        joined = await store.open_deal_of(tx, customer_id, pipeline.id, partner=lead.origin.partner)
    if joined is not None:
        return await _join(tx, viewer, joined, customer_id=customer_id)
    return await open_deal(
        tx,
        viewer,
        OpenDeal(
            customer_id=customer_id,
            name=data.name or _name_of(lead),
            pipeline_id=pipeline.id,
            owner_id=lead.owner_id,
            partner=lead.origin.partner,
            channel=lead.origin.channel,
            source=lead.origin.source,
            campaign_id=lead.origin.campaign_id,
            lead_id=lead.id,
            amount=data.amount,
        ),
        now=now,
    )


async def _join(tx: Tx, viewer: Viewer, deal_id: UUID, *, customer_id: UUID) -> Deal:
    deal = await lock(tx, viewer, deal_id)
    if deal.customer_id != customer_id:
        raise Conflict("That deal is another customer's.", code="customer_mismatch")
    if deal.canonical.is_closed:
        raise Conflict(f"That deal is {deal.canonical}; a lead joins an open one.", code="deal_closed")
    return deal


def _name_of(lead: Lead) -> str:
    text = lead.interest or lead.contact.company or lead.contact.name or lead.origin.source
    return text.splitlines()[0][:200]
