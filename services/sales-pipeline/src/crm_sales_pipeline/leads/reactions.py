"""Interest that other services notice becomes leads."""

from datetime import datetime

from crm_sales_pipeline.identifiers import CampaignId, CustomerId
from crm_sales_pipeline.leads.commands.capture import CaptureLead, capture_lead
from crm_sales_pipeline.leads.domain.leads import Contact, Origin
from crm_sales_pipeline.leads.domain.windows import BuyingWindow
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.errors import Gone
from crm_shared.fields import Fact, Instant
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

REACTIONS = Reactions()
_NOBODY = Contact()
_MOST_TEXT = 2_000


class ResponseCaptured(Fact):
    """What we read of a response to a campaign."""

    customer_id: CustomerId
    campaign_id: CampaignId | None = None
    kind: str
    buying_window: str | None = None
    text: str | None = None
    wants: str
    captured_at: Instant


class DemandRevealed(Fact):
    """What we read of demand that a service contact revealed."""

    customer_id: CustomerId
    text: str
    buying_window: str | None = None


@REACTIONS.on("crm.response.captured.v1", ResponseCaptured)
async def lead_from_response(tx: Tx, event: Received[ResponseCaptured], *, now: datetime) -> None:
    """One lead for each response that wants one; the response's id is the key that keeps it one."""
    fact = event.data
    if fact.wants != "lead":
        return
    origin = Origin(
        source="campaign",
        source_key=public_id("rsp", event.aggregate_id),
        campaign_id=fact.campaign_id,
        response_id=event.aggregate_id,
        channel=fact.kind,
    )
    await _capture(
        tx,
        CaptureLead(
            origin=origin,
            contact=_NOBODY,
            customer_id=fact.customer_id,
            window=BuyingWindow.read(fact.buying_window),
            interest=fact.text[:_MOST_TEXT] if fact.text else None,
            captured_at=fact.captured_at,
        ),
        now=now,
    )


@REACTIONS.on("crm.demand.revealed.v1", DemandRevealed)
async def lead_from_demand(tx: Tx, event: Received[DemandRevealed], *, now: datetime) -> None:
    """One lead for each demand that an agent heard of."""
    fact = event.data
    origin = Origin(source="service", source_key=public_id("dem", event.aggregate_id), channel="contact-center")
    await _capture(
        tx,
        CaptureLead(
            origin=origin,
            contact=_NOBODY,
            customer_id=fact.customer_id,
            window=BuyingWindow.read(fact.buying_window),
            interest=fact.text[:_MOST_TEXT],
            captured_at=event.occurred_at,
        ),
        now=now,
    )


async def _capture(tx: Tx, data: CaptureLead, *, now: datetime) -> None:
    try:
        await capture_lead(tx, Viewer.system(tx.tenant), data, now=now)
    except Gone:
        # The erasure overtook the response; nobody is left to sell to.
        return
