"""How a service hears that a tenant has left, or is here again."""

from collections.abc import Sequence
from datetime import timedelta

from crm_shared.bus.handlers import Tap
from crm_shared.db.departures import come_back, leave
from crm_shared.db.pool import Tx
from crm_shared.events import Envelope, topic_of
from crm_shared.fields import Fact
from crm_shared.observability.logs import logger

_log = logger("departures")
LEFT = "crm.tenant.closed.v1"
RETURNED = "crm.tenant.resumed.v1"
TOPIC = topic_of(LEFT)


class NothingRead(Fact):
    """That it happened, to whom and when, is all that is read of it."""


def departures(purge_after: timedelta) -> Tap:
    """What every service does about it; the rows go so long after the tenant has left.

    It is a tap, as it must not wait for what a service that is younger than the tenant never heard of it.
    """

    async def take(tx: Tx, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            if envelope.type == LEFT:
                await leave(tx, purge_at=envelope.time + purge_after)
            elif envelope.type == RETURNED and await come_back(tx, now=envelope.time):
                _log.info("tenant_returned", tenant=str(tx.tenant))

    return Tap(frozenset({TOPIC}), take)
