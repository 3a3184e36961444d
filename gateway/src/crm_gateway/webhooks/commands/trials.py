"""Testing an endpoint: one event that only it gets."""

from datetime import datetime
from uuid import UUID

from crm_gateway.webhooks.commands.endpoints import ID_PREFIX, disable
from crm_gateway.webhooks.domain.deliveries import TEST_TYPE, Answered, Attempt, Delivery, Reason, Settled, State
from crm_gateway.webhooks.domain.endpoints import Disabled, Endpoint
from crm_gateway.webhooks.store import deliveries, endpoints
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


async def to_test(tx: Tx, endpoint_id: UUID, *, now: datetime) -> tuple[Endpoint, list[bytes]]:
    """An endpoint and its sealed secrets.

    Raises:
        NotFound: there is no such endpoint.
    """
    endpoint, seals = await endpoints.get_endpoint(tx, endpoint_id), await endpoints.seals_of(tx, endpoint_id)
    if endpoint is None or seals is None:
        raise NotFound.of("webhook", public_id(ID_PREFIX, endpoint_id))
    return endpoint, seals.holding(now)


async def note_test(
    tx: Tx, viewer: Viewer, endpoint_id: UUID, event_id: UUID, answered: Answered, *, now: datetime
) -> Delivery:
    """Write down what came of a test; an endpoint that wants nothing any more gets nothing any more."""
    endpoint = await endpoints.get_endpoint(tx, endpoint_id, lock=True)
    if endpoint is None:
        raise NotFound.of("webhook", public_id(ID_PREFIX, endpoint_id))
    state = State.DELIVERED if answered.succeeded else State.FAILED
    reason = None if answered.succeeded else Reason.TEST_FAILED
    new = Delivery(
        id=new_id(),
        endpoint_id=endpoint_id,
        event_id=event_id,
        type=TEST_TYPE,
        subject=public_id(ID_PREFIX, endpoint_id),
        position=None,
        state=state,
        reason=reason.value if reason else None,
        attempts=0,
        failures=0,
        next_at=None,
        created_at=now,
        settled_at=now,
    )
    attempt = Attempt(1, now, answered.status, answered.error, answered.duration_ms, answered.told)
    await deliveries.insert_delivery(tx, new)
    await deliveries.settle(tx, {new.id: Settled(state, reason, 0, None)}, {new.id: attempt}, now=now)
    if answered.gone and endpoint.disabled is None:
        await disable(tx, Viewer.system(tx.tenant), endpoint, Disabled.GONE, now=now)
    return new
