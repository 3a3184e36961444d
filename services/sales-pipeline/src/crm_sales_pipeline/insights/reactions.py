"""A finished campaign's cost becomes an expense."""

from datetime import datetime

from crm_sales_pipeline.insights.commands import book_campaign_cost
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant, MoneyField
from crm_shared.runtime import Reactions, Received
from crm_shared.tenancy import Viewer

REACTIONS = Reactions()


class CampaignFinished(Fact):
    """What we read of the end of a campaign."""

    cost: MoneyField | None = None
    at: Instant | None = None


@REACTIONS.on("crm.campaign.finished.v1", CampaignFinished)
async def cost_of_campaign(tx: Tx, event: Received[CampaignFinished], *, now: datetime) -> None:
    """Booked once for each campaign, whatever is said again."""
    if event.data.cost is None:
        return
    await book_campaign_cost(
        tx,
        Viewer.system(tx.tenant),
        event.aggregate_id,
        event.data.cost,
        incurred_at=event.data.at or event.occurred_at,
        now=now,
    )
