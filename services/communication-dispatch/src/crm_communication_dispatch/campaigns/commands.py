"""What people do with campaigns."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_communication_dispatch.campaigns import store
from crm_communication_dispatch.campaigns.domain import (
    Campaign,
    CampaignStatus,
    Plan,
    Variant,
    require_draft,
    require_other_person,
    require_step,
)
from crm_communication_dispatch.campaigns.events import CampaignApproved
from crm_communication_dispatch.providers import store as providers
from crm_communication_dispatch.providers.configuration import route_of
from crm_communication_dispatch.providers.domain import Channel
from crm_communication_dispatch.settings import mail_settings
from crm_communication_dispatch.templates.commands import usable_version
from crm_communication_dispatch.templates.domain import typed_values
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version

TICK = "campaign.tick"


async def create_campaign(tx: Tx, viewer: Viewer, plan: Plan, *, now: datetime) -> Campaign:
    """A new draft."""
    key = new_id()
    made = Campaign(
        id=key,
        plan=await _checked(tx, plan),
        seed=key.hex,
        status=CampaignStatus.DRAFT,
        author=viewer.subject,
        approver=None,
        review_note=None,
        audience_id=None,
        targeted=None,
        start_at=None,
        started_at=None,
        planned_at=None,
        released_at=None,
        finished_at=None,
        created_at=now,
        updated_at=now,
        version=1,
    )
    await store.add(tx, made)
    return made


async def change_campaign(
    tx: Tx, viewer: Viewer, campaign_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Campaign:
    """Change a draft.

    Raises:
        Conflict: others have reviewed it.
    """
    del viewer
    found = await locked(tx, campaign_id)
    require_draft(found)
    expect_version(found.version, expected)
    plan = await _checked(tx, replace(found.plan, **changes))
    return await store.change(tx, campaign_id, now=now, **store.plan_row(plan))


async def submit_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID, *, now: datetime) -> Campaign:
    """Hand a draft to review; from here on its wordings are fixed.

    Raises:
        Conflict: a template has no approved version, or a variant doesn't speak the channel.
        Invalid: the variables don't fit a template.
    """
    del viewer
    found = await locked(tx, campaign_id)
    require_step(found, CampaignStatus.IN_REVIEW)
    pinned = tuple([await _pinned(tx, found.plan, variant) for variant in found.plan.variants])
    plan = replace(found.plan, variants=pinned)
    return await store.change(
        tx, campaign_id, now=now, status=CampaignStatus.IN_REVIEW.value, review_note=None, **store.plan_row(plan)
    )


async def _pinned(tx: Tx, plan: Plan, variant: Variant) -> Variant:
    version = await usable_version(tx, variant.template_id, variant.template_number)
    if plan.channel not in version.content.channels():
        raise Conflict(f"The template of {variant.name} says nothing by {plan.channel}.", code="channel_missing")
    typed_values(version.variables, plan.variables)
    return replace(variant, template_number=version.number)


async def reject_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID, note: str, *, now: datetime) -> Campaign:
    """Give a campaign back to its author, saying why."""
    del viewer
    found = await locked(tx, campaign_id)
    if found.status is not CampaignStatus.IN_REVIEW:
        raise Conflict(f"The campaign is {found.status.value}, not in review.", code="campaign_state")
    return await store.change(tx, campaign_id, now=now, status=CampaignStatus.DRAFT.value, review_note=note)


async def approve_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID, *, now: datetime) -> Campaign:
    """Agree to a campaign.

    Raises:
        Forbidden: the author may not approve it.
        Conflict: it isn't in review.
    """
    found = await locked(tx, campaign_id)
    require_step(found, CampaignStatus.APPROVED)
    require_other_person(found, viewer.subject)
    approved = await store.change(
        tx, campaign_id, now=now, status=CampaignStatus.APPROVED.value, approver=viewer.subject
    )
    plan = found.plan
    tx.emit(
        CampaignApproved(name=plan.name, purpose=plan.purpose, segment_id=plan.segment_id, at=now),
        aggregate_id=campaign_id,
    )
    return approved


async def schedule_campaign(
    tx: Tx, viewer: Viewer, campaign_id: UUID, start_at: datetime | None, *, now: datetime
) -> Campaign:
    """Say when it begins; without a time, now."""
    del viewer
    found = await locked(tx, campaign_id)
    require_step(found, CampaignStatus.SCHEDULED)
    begin = start_at if start_at is not None and start_at > now else now
    await schedule(tx, TICK, key=str(campaign_id), due_at=begin)
    return await store.change(tx, campaign_id, now=now, status=CampaignStatus.SCHEDULED.value, start_at=begin)


async def pause_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID, *, now: datetime) -> Campaign:
    """Stop sending; what is on the wire ends, all else waits."""
    del viewer
    found = await locked(tx, campaign_id)
    require_step(found, CampaignStatus.PAUSED)
    await store.call_back(tx, campaign_id)
    return await store.change(tx, campaign_id, now=now, status=CampaignStatus.PAUSED.value)


async def resume_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID, *, now: datetime) -> Campaign:
    """Go on where it stopped; nobody is written to twice."""
    del viewer
    found = await locked(tx, campaign_id)
    if found.status is not CampaignStatus.PAUSED:
        raise Conflict(f"The campaign is {found.status.value}, not paused.", code="campaign_state")
    await schedule(tx, TICK, key=str(campaign_id), due_at=now)
    return await store.change(tx, campaign_id, now=now, status=CampaignStatus.RUNNING.value, released_at=now)


async def cancel_campaign(tx: Tx, viewer: Viewer, campaign_id: UUID, *, now: datetime) -> Campaign:
    """End it for good; what hasn't gone never goes."""
    del viewer
    found = await locked(tx, campaign_id)
    require_step(found, CampaignStatus.CANCELLED)
    await store.expire(tx, campaign_id, now=now)
    await unschedule(tx, TICK, key=str(campaign_id))
    return await store.change(tx, campaign_id, now=now, status=CampaignStatus.CANCELLED.value, finished_at=now)


async def _checked(tx: Tx, plan: Plan) -> Plan:
    names = [variant.name for variant in plan.variants]
    if len(set(names)) != len(names) or "hold_out" in names:
        raise Invalid.field(
            "/variants", "Give each variant a name of its own, other than hold_out.", code="names_taken"
        )
    if plan.channel != Channel.EMAIL.value:
        raise Conflict(f"There is no provider for {plan.channel} yet.", code="provider_missing")
    route = route_of(await providers.active(tx, plan.channel), mail_settings())
    if plan.currency is None:
        plan = replace(plan, currency=route.currency)
    if plan.currency != route.currency:
        message = f"Costs of this campaign's mails are in {route.currency}; state its own cost in {route.currency} too."
        raise Invalid.field("/fixed_cost", message, code="currency_mismatch")
    return plan


async def locked(tx: Tx, campaign_id: UUID) -> Campaign:
    """One campaign, held until the transaction ends.

    Raises:
        NotFound: there is none.
    """
    found = await store.lock(tx, campaign_id)
    if found is None:
        raise NotFound.of("campaign", public_id("cmp", campaign_id))
    return found
