"""Sending once more: one delivery, or all that happened since."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from crm_gateway.subscriptions import store as events
from crm_gateway.subscriptions.catalogue import catalogue
from crm_gateway.subscriptions.domain import position_of, types_of
from crm_gateway.webhooks.commands.endpoints import open_endpoint
from crm_gateway.webhooks.domain.deliveries import Delivery
from crm_gateway.webhooks.domain.endpoints import Endpoint
from crm_gateway.webhooks.domain.lanes import Replay
from crm_gateway.webhooks.store import deliveries, lanes
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Gone, NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

DELIVERY_PREFIX = "dlv"


async def retry(tx: Tx, viewer: Viewer, endpoint_id: UUID, delivery_id: UUID, *, now: datetime) -> Delivery:
    """Send one event to the endpoint again, at once.

    Raises:
        NotFound: there is no such delivery of this endpoint.
        Gone: its event isn't kept any more.
        Conflict: the endpoint is disabled, or it was a test.
    """
    await open_endpoint(tx, endpoint_id)
    found = await deliveries.get_delivery(tx, endpoint_id, delivery_id, lock=True)
    if found is None:
        raise NotFound.of("delivery", public_id(DELIVERY_PREFIX, delivery_id))
    if found.position is None:
        raise Conflict("A test isn't repeated; send another one.", code="webhook_test_not_repeated")
    if not await deliveries.event_is_kept(tx, found.position):
        raise Gone("The event isn't kept any more.", code="event_gone")
    await lanes.hurry(tx, endpoint_id, now=now)
    tx.after_commit.append(_told)
    return await deliveries.restart(tx, delivery_id, now=now)


async def replay(
    tx: Tx, viewer: Viewer, endpoint_id: UUID, start: datetime | str, types: Sequence[str], *, now: datetime
) -> Endpoint:
    """Send everything since a time or after a cursor again, with what the endpoint may get and asks for.

    Raises:
        Conflict: the endpoint is disabled, or has a replay under way.
        Gone: what follows the cursor isn't kept any more.
    """
    endpoint = await open_endpoint(tx, endpoint_id)
    lane = await lanes.get_lane(tx, endpoint_id)
    assert lane is not None, "an enabled endpoint has a lane"
    if lane.replay is not None:
        raise Conflict("A replay is under way; it has to end first.", code="webhook_replaying")
    head = await events.head(tx)
    after = position_of(start, head) if isinstance(start, str) else await events.position_before(tx, start, head)
    if after < lane.position:
        chosen = tuple(sorted(types_of(types, catalogue())))
        await lanes.begin_replay(tx, endpoint_id, Replay(after, lane.position, chosen))
        tx.after_commit.append(_told)
    return endpoint


def _told() -> None:
    """Something to do after the commit, so that those who wait for commits are woken."""
