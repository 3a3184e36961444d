"""Campaigns as communication-dispatch tells of them."""

from collections.abc import Sequence
from typing import Any

from crm_sales_pipeline.insights.store import keeping
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant
from crm_shared.runtime import Projections, Received

PROJECTIONS = Projections()


class CampaignFact(Fact):
    """What we read of a campaign."""

    name: str | None = None
    purpose: str | None = None
    targeted: int | None = None
    accepted: int | None = None
    at: Instant | None = None

    def described(self) -> dict[str, Any]:
        """Name and purpose, where said."""
        return {"name": self.name, "purpose": self.purpose}


@PROJECTIONS.on("crm.campaign.approved.v1", CampaignFact)
async def campaign_approved(tx: Tx, events: Sequence[Received[CampaignFact]]) -> None:
    """There will be a campaign."""
    for event in events:
        await keeping.fill_campaign(tx, event.aggregate_id, event.data.described())


@PROJECTIONS.on("crm.campaign.started.v1", CampaignFact)
async def campaign_started(tx: Tx, events: Sequence[Received[CampaignFact]]) -> None:
    """It runs."""
    for event in events:
        facts = {**event.data.described(), "started_at": event.data.at or event.occurred_at}
        await keeping.fill_campaign(tx, event.aggregate_id, facts)


@PROJECTIONS.on("crm.campaign.finished.v1", CampaignFact)
async def campaign_finished(tx: Tx, events: Sequence[Received[CampaignFact]]) -> None:
    """It is over; its leads are not."""
    for event in events:
        facts = {
            **event.data.described(),
            "finished_at": event.data.at or event.occurred_at,
            "targeted": event.data.targeted,
            "accepted": event.data.accepted,
        }
        await keeping.fill_campaign(tx, event.aggregate_id, facts)
