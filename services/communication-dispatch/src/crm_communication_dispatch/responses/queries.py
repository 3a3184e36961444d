"""Reading responses, and what a campaign came to."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from crm_communication_dispatch.audiences import store as audiences
from crm_communication_dispatch.audiences.domain import Audience
from crm_communication_dispatch.campaigns import store as campaigns
from crm_communication_dispatch.campaigns.domain import HOLD_OUT, Campaign, proven_complete
from crm_communication_dispatch.campaigns.store import Counted
from crm_communication_dispatch.messages.domain import Status
from crm_communication_dispatch.responses import store
from crm_communication_dispatch.responses.domain import Response, ResponseKind
from crm_shared.db.pool import Tx
from crm_shared.money import Money
from crm_shared.tenancy import Viewer


class Filters(Protocol):
    """Which responses."""

    @property
    def customer_id(self) -> UUID | None: ...

    @property
    def campaign_id(self) -> UUID | None: ...

    @property
    def kind(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What a campaign came to so far."""

    campaign: Campaign
    audience: Audience | None
    counted: list[Counted]
    answered: list[tuple[str | None, ResponseKind, int, int]]
    hits: dict[str, int]
    costs: list[Money]

    @property
    def states(self) -> Counter[Status]:
        """How many messages are in each state."""
        states: Counter[Status] = Counter()
        for one in self.counted:
            states[one.status] += one.count
        return states

    @property
    def complete(self) -> bool:
        """Whether the end states sum to the targeted customers."""
        targeted = self.campaign.targeted
        return targeted is not None and proven_complete(targeted, self.states)

    @property
    def held_out(self) -> int:
        """How many were left alone on purpose."""
        return sum(one.count for one in self.counted if one.variant == HOLD_OUT)


async def get_response(tx: Tx, viewer: Viewer, response_id: UUID) -> Response | None:
    """One response."""
    del viewer
    return await store.get(tx, response_id)


async def list_responses(
    tx: Tx, viewer: Viewer, filters: Filters, *, limit: int, after: tuple[Any, ...] | None
) -> list[Response]:
    """Responses, newest first."""
    del viewer
    where = {"customer_id": filters.customer_id, "campaign_id": filters.campaign_id, "kind": filters.kind}
    return await store.list_responses(tx, where, limit=limit, after=after)


async def get_report(tx: Tx, viewer: Viewer, campaign_id: UUID) -> Report | None:
    """What a campaign came to so far."""
    del viewer
    campaign = await campaigns.get(tx, campaign_id)
    if campaign is None:
        return None
    return Report(
        campaign=campaign,
        audience=await audiences.get(tx, campaign.audience_id) if campaign.audience_id else None,
        counted=await campaigns.counts(tx, campaign_id),
        answered=await store.by_campaign(tx, campaign_id),
        hits=await store.hits_by_campaign(tx, campaign_id),
        costs=await campaigns.costs(tx, campaign_id),
    )
