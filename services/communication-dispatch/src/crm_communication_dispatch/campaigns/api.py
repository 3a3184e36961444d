"""Campaigns over HTTP."""

from typing import Annotated

from fastapi import Query, Response

from crm_communication_dispatch.campaigns import commands, queries
from crm_communication_dispatch.campaigns.schemas import (
    CampaignCreate,
    CampaignFilter,
    CampaignPage,
    CampaignRead,
    CampaignReject,
    CampaignSchedule,
    CampaignUpdate,
)
from crm_communication_dispatch.fields import CampaignId
from crm_shared.http import Call, Router, needs

router = Router(
    prefix="/v1/campaigns",
    tag="campaigns",
    about="Messages to a segment: planned, reviewed by somebody else, sent, and reported on.",
)
Reading = Annotated[Call, needs("campaigns:read")]
Writing = Annotated[Call, needs("campaigns:write")]
Approving = Annotated[Call, needs("campaigns:approve")]


@router.post("", status_code=201, response_model=CampaignRead)
async def create(body: CampaignCreate, call: Writing) -> Response:
    """Plan a campaign."""
    return await call.write(commands.create_campaign, body.plan(), answer=CampaignRead.of)


@router.get("", response_model=CampaignPage)
async def list(call: Reading, filters: Annotated[CampaignFilter, Query()]) -> Response:
    """Look through the campaigns, newest first."""
    return await call.page(
        queries.list_campaigns, filters, answer=CampaignRead.of, key=lambda found: (found.created_at, found.id)
    )


@router.get("/{campaign_id}", response_model=CampaignRead)
async def get(campaign_id: CampaignId, call: Reading) -> Response:
    """Read one campaign."""
    return await call.read(queries.get_campaign, campaign_id, answer=CampaignRead.of)


@router.patch("/{campaign_id}", response_model=CampaignRead)
async def update(campaign_id: CampaignId, body: CampaignUpdate, call: Writing) -> Response:
    """Change a draft."""
    return await call.write(
        commands.change_campaign, campaign_id, body.changes(), expected=call.if_match(), answer=CampaignRead.of
    )


@router.post("/{campaign_id}/submit", response_model=CampaignRead)
async def submit(campaign_id: CampaignId, call: Writing) -> Response:
    """Hand a draft to review; its template versions are pinned."""
    return await call.write(commands.submit_campaign, campaign_id, answer=CampaignRead.of)


@router.post("/{campaign_id}/reject", response_model=CampaignRead)
async def reject(campaign_id: CampaignId, body: CampaignReject, call: Approving) -> Response:
    """Reject a campaign; it goes back to its author."""
    return await call.write(commands.reject_campaign, campaign_id, body.note, answer=CampaignRead.of)


@router.post("/{campaign_id}/approve", response_model=CampaignRead)
async def approve(campaign_id: CampaignId, call: Approving) -> Response:
    """Approve a campaign that somebody else wrote."""
    return await call.write(commands.approve_campaign, campaign_id, answer=CampaignRead.of)


@router.post("/{campaign_id}/schedule", response_model=CampaignRead)
async def schedule(campaign_id: CampaignId, body: CampaignSchedule, call: Writing) -> Response:
    """Say when an approved campaign begins; without a time, now."""
    return await call.write(commands.schedule_campaign, campaign_id, body.start_at, answer=CampaignRead.of)


@router.post("/{campaign_id}/pause", response_model=CampaignRead)
async def pause(campaign_id: CampaignId, call: Writing) -> Response:
    """Pause a campaign; nothing is sent until it is resumed."""
    return await call.write(commands.pause_campaign, campaign_id, answer=CampaignRead.of)


@router.post("/{campaign_id}/resume", response_model=CampaignRead)
async def resume(campaign_id: CampaignId, call: Writing) -> Response:
    """Resume a paused campaign where it stopped."""
    return await call.write(commands.resume_campaign, campaign_id, answer=CampaignRead.of)


@router.post("/{campaign_id}/cancel", response_model=CampaignRead)
async def cancel(campaign_id: CampaignId, call: Writing) -> Response:
    """Cancel a campaign for good."""
    return await call.write(commands.cancel_campaign, campaign_id, answer=CampaignRead.of)
