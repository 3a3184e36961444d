"""Who has to be looked at again, and which campaigns use a segment."""

from collections.abc import Sequence
from typing import Any

from crm_customer.behaviour.domain import SEGMENTS_WORK
from crm_customer.fields import SegmentId
from crm_customer.segments.store import segments as store
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact
from crm_shared.ids import public_id

PROJECTIONS = Projections()
_CHANGES = ("registered", "updated", "consent-changed", "lifecycle-changed", "value-rated")


class Changed(Fact):
    """Something about a customer changed; what it was doesn't matter here."""


class CampaignState(Fact):
    """A campaign and the segment it is for."""

    name: str = ""
    segment_id: SegmentId | None = None


async def customers_changed(tx: Tx, events: Sequence[Received[Any]]) -> None:
    """Have the dynamic segments look at these customers, all of a batch together."""
    if await store.any_dynamic(tx):
        payload = {"customers": sorted({str(event.aggregate_id) for event in events})}
        at = max(event.occurred_at for event in events)
        await schedule(tx, SEGMENTS_WORK, key=str(events[0].event_id), due_at=at, payload=payload)


for _change in _CHANGES:
    PROJECTIONS.on(f"crm.customer.{_change}.v1", Changed)(customers_changed)


@PROJECTIONS.on("crm.campaign.approved.v1", CampaignState)
@PROJECTIONS.on("crm.campaign.started.v1", CampaignState)
async def campaign_began(tx: Tx, events: Sequence[Received[CampaignState]]) -> None:
    """A campaign rests on its segment."""
    for event in events:
        if event.data.segment_id is not None:
            await store.use(tx, event.data.segment_id, public_id("cmp", event.aggregate_id), event.data.name)


@PROJECTIONS.on("crm.campaign.finished.v1", CampaignState)
async def campaign_finished(tx: Tx, events: Sequence[Received[CampaignState]]) -> None:
    """A finished campaign rests on nothing any more."""
    for event in events:
        await store.disuse(tx, public_id("cmp", event.aggregate_id))
