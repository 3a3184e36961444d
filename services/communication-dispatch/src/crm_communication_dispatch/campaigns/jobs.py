"""Planning a campaign: one row of the ledger for everybody in its audience, a few hundred at a time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from crm_communication_dispatch.audiences import store as audiences
from crm_communication_dispatch.campaigns import store
from crm_communication_dispatch.campaigns.commands import TICK
from crm_communication_dispatch.campaigns.domain import HOLD_OUT, Campaign, CampaignStatus, held_out, variant_for
from crm_communication_dispatch.campaigns.running import PLAN
from crm_communication_dispatch.links import Links, links_of
from crm_communication_dispatch.providers import store as providers
from crm_communication_dispatch.providers.configuration import route_of
from crm_communication_dispatch.settings import mail_settings
from crm_shared.db.due import schedule
from crm_shared.db.operations import Job, Jobs
from crm_shared.ids import new_id

JOBS = Jobs()
_PAGE = 250
_AT_WORK = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@JOBS.on(PLAN)
async def plan_campaign(job: Job) -> dict[str, Any]:
    """Plan everybody, from wherever an earlier run stopped; who has a row already gets no second one."""
    campaign_id = UUID(job.payload["campaign_id"])
    links = links_of(mail_settings())
    done, added = job.state.get("done", 0), job.state.get("added", 0)
    while True:
        now = job.clock.now()
        async with job.transaction() as tx:
            found = await store.lock(tx, campaign_id)
            if found is None or found.status not in _AT_WORK or found.audience_id is None:
                return {"added": added}
            after = UUID(job.state.get("after", str(audiences.FIRST)))
            page = await audiences.included_page(tx, found.audience_id, after=after, limit=_PAGE)
            if not page:
                await store.change(tx, campaign_id, now=now, planned_at=now)
                await schedule(tx, TICK, key=str(campaign_id), due_at=now)
                return {"added": added}
            route = route_of(await providers.active(tx, found.plan.channel), mail_settings())
            added += await store.add_recipients(
                tx,
                found,
                [_planned(found, links, job.tenant, customer_id) for customer_id in page],
                cost=route.cost,
                expires_at=now + timedelta(seconds=found.plan.expires_after_s),
                now=now,
            )
            done += len(page)
            job.state.update(after=str(page[-1]), done=done, added=added)
            await job.progress(done, found.targeted, tx=tx)


def _planned(of: Campaign, links: Links, tenant: UUID, customer_id: UUID) -> store.Planned:
    message_id = new_id()
    out = held_out(of.seed, customer_id, of.plan.hold_out_percent)
    return store.Planned(
        message_id=message_id,
        customer_id=customer_id,
        variant=variant_for(of.seed, customer_id, of.plan.variants),
        coupon=links.coupon(tenant, message_id) if of.plan.coupons and not out else None,
        reason=HOLD_OUT if out else None,
    )
