"""Reading endpoints and their log."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crm_gateway.webhooks.domain.deliveries import Attempt, Delivery, State
from crm_gateway.webhooks.domain.endpoints import Endpoint
from crm_gateway.webhooks.domain.lanes import Lane
from crm_gateway.webhooks.store import deliveries, endpoints, lanes
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.http.pagination import PageQuery
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Shown:
    """An endpoint and, while it is enabled, how far it has got."""

    endpoint: Endpoint
    lane: Lane | None


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery and its attempts."""

    delivery: Delivery
    attempts: list[Attempt]


async def shown(tx: Tx, endpoint: Endpoint) -> Shown:
    """An endpoint as it is shown."""
    return Shown(endpoint, await lanes.get_lane(tx, endpoint.id))


async def get_webhook(tx: Tx, viewer: Viewer, endpoint_id: UUID) -> Shown | None:
    """One endpoint."""
    endpoint = await endpoints.get_endpoint(tx, endpoint_id)
    return await shown(tx, endpoint) if endpoint else None


async def list_webhooks(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Shown]:
    """All endpoints, in the order of their making."""
    found = await endpoints.list_endpoints(tx, limit=limit, after=after)
    known = await lanes.lanes_of(tx) if found else {}
    return [Shown(endpoint, known.get(endpoint.id)) for endpoint in found]


async def logged(tx: Tx, delivery: Delivery) -> Logged:
    """A delivery as it is shown."""
    return Logged(delivery, (await deliveries.attempts_of(tx, [delivery.id])).get(delivery.id, []))


async def get_delivery(tx: Tx, viewer: Viewer, endpoint_id: UUID, delivery_id: UUID) -> Logged | None:
    """One delivery."""
    found = await deliveries.get_delivery(tx, endpoint_id, delivery_id)
    return await logged(tx, found) if found else None


class DeliveryFilter(PageQuery):
    """Which deliveries."""

    state: State | None = None


async def list_deliveries(
    tx: Tx, viewer: Viewer, filters: DeliveryFilter, endpoint_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Logged]:
    """The log of one endpoint, newest first.

    Raises:
        NotFound: there is no such endpoint.
    """
    if await endpoints.get_endpoint(tx, endpoint_id) is None:
        raise NotFound.of("webhook", public_id("hook", endpoint_id))
    states = [filters.state.value] if filters.state else []
    found = await deliveries.list_deliveries(tx, endpoint_id, states, limit=limit, after=after)
    attempts = await deliveries.attempts_of(tx, [one.id for one in found])
    return [Logged(one, attempts.get(one.id, [])) for one in found]
