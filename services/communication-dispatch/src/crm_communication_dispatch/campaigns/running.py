"""How a running campaign moves: audience, planning, release at its rate, and the proof that nobody was forgotten."""

from datetime import datetime, timedelta
from uuid import UUID

from crm_communication_dispatch.audiences import store as audiences
from crm_communication_dispatch.audiences.commands import ask_for_audience
from crm_communication_dispatch.audiences.domain import AudienceStatus
from crm_communication_dispatch.campaigns import store
from crm_communication_dispatch.campaigns.commands import TICK
from crm_communication_dispatch.campaigns.domain import Campaign, CampaignStatus, proven_complete, unfinished
from crm_communication_dispatch.campaigns.events import CampaignFinished, CampaignStarted
from crm_communication_dispatch.messages.domain import Status
from crm_communication_dispatch.messages.scheduling import wake_bulk
from crm_shared.db.due import schedule
from crm_shared.db.operations import start_operation
from crm_shared.db.pool import Tx
from crm_shared.money import Money
from crm_shared.observability.logs import logger
from crm_shared.tenancy import Viewer

PLAN = "campaign.plan"
_log = logger("campaigns")
_RELEASE = 5_000
_SOON = timedelta(milliseconds=300)
_LATER = timedelta(seconds=5)


async def move_campaign(tx: Tx, campaign_id: UUID, *, now: datetime) -> None:
    """Do what comes next, and see to being asked again."""
    found = await store.lock(tx, campaign_id)
    if found is None:
        return
    if found.status is CampaignStatus.SCHEDULED:
        found = await _begin(tx, found, now=now)
    if found.status is not CampaignStatus.RUNNING:
        return
    again = await _advance(tx, found, now=now)
    if again is not None:
        await schedule(tx, TICK, key=str(campaign_id), due_at=now + again)


async def _begin(tx: Tx, of: Campaign, *, now: datetime) -> Campaign:
    plan = of.plan
    audience = await ask_for_audience(
        tx, Viewer.system(tx.tenant), plan.segment_id, plan.channel, plan.purpose, now=now
    )
    tx.emit(
        CampaignStarted(name=plan.name, purpose=plan.purpose, segment_id=plan.segment_id, at=now), aggregate_id=of.id
    )
    return await store.change(
        tx, of.id, now=now, status=CampaignStatus.RUNNING.value, started_at=now, audience_id=audience.id
    )


async def _advance(tx: Tx, of: Campaign, *, now: datetime) -> timedelta | None:
    """One step; gives when to look again, None when it has ended."""
    if of.targeted is None:
        assert of.audience_id is not None
        audience = await audiences.get(tx, of.audience_id)
        if audience is None or audience.status is not AudienceStatus.READY or audience.included is None:
            return _SOON
        await store.change(tx, of.id, now=now, targeted=audience.included)
        await start_operation(tx, PLAN, {"campaign_id": str(of.id)}, viewer=Viewer.system(tx.tenant), now=now)
        return _SOON
    if of.planned_at is None:
        return _SOON
    released = await _release(tx, of, now=now)
    states = await store.states(tx, of.id)
    if released or states.get(Status.PLANNED):
        return timedelta(0) if released == _RELEASE else _SOON
    if unfinished(states):
        held_only = unfinished(states) == states.get(Status.HELD, 0)
        return _LATER if held_only else _SOON
    return await _finish(tx, of, states, now=now)


async def _release(tx: Tx, of: Campaign, *, now: datetime) -> int:
    """Let as many go as the campaign's rate allows since the last time."""
    allowed, since = _RELEASE, of.released_at
    if of.plan.per_minute is not None and since is not None:
        allowed = min(_RELEASE, int((now - since).total_seconds() * of.plan.per_minute / 60))
    elif of.plan.per_minute is not None:
        allowed = 1
    if allowed < 1:
        return 0
    released = await store.release(tx, of.id, at_most=allowed, now=now)
    if released:
        await wake_bulk(tx, of.plan.channel, of.id, now=now)
    if of.plan.per_minute is not None:
        # What a fraction of a message is worth in time is kept for the next look.
        spent = now if since is None else since + timedelta(seconds=allowed * 60 / of.plan.per_minute)
        await store.change(tx, of.id, now=now, released_at=spent)
    return released


async def _finish(tx: Tx, of: Campaign, states: dict[Status, int], *, now: datetime) -> timedelta | None:
    """End it if the end states sum to the targeted customers; else plan again, which adds only who is missing."""
    targeted = of.targeted or 0
    if not proven_complete(targeted, states):
        _log.error("campaign_incomplete", campaign=str(of.id), targeted=targeted, rows=sum(states.values()))
        await store.change(tx, of.id, now=now, planned_at=None)
        await start_operation(tx, PLAN, {"campaign_id": str(of.id)}, viewer=Viewer.system(tx.tenant), now=now)
        return _SOON
    await store.change(tx, of.id, now=now, status=CampaignStatus.FINISHED.value, finished_at=now)
    plan = of.plan
    own = plan.own_cost
    spent = [cost for cost in await store.costs(tx, of.id) if cost.currency == own.currency]
    went = (Status.ACCEPTED, Status.DELIVERED)
    silent = (Status.SUPPRESSED, Status.EXPIRED)
    accepted = sum(states.get(status, 0) for status in went)
    suppressed = sum(states.get(status, 0) for status in silent)
    tx.emit(
        CampaignFinished(
            name=plan.name,
            purpose=plan.purpose,
            segment_id=plan.segment_id,
            targeted=targeted,
            accepted=accepted,
            failed=targeted - accepted - suppressed,
            suppressed=suppressed,
            cost=Money.total(spent, own.currency) + own,
            at=now,
        ),
        aggregate_id=of.id,
    )
    return None
