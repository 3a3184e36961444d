"""From the worker that keeps events to the processes that stream them: whose events are new. And what is old goes."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.projections import keep
from crm_gateway.subscriptions.settings import subscription_settings
from crm_shared.db.away import PASSING
from crm_shared.db.notices import LONGEST, notify
from crm_shared.db.pool import Database, Tx
from crm_shared.events import Envelope
from crm_shared.observability.logs import logger
from crm_shared.runtime.worker import WorkerContext

_log = logger("gateway.news")
CHANNEL = "crm_kept_events"
_TOGETHER_S = 0.02
"""News of so long go in one message."""
_PRUNE_EVERY_S = 600.0


class Keeper:
    """Keeps events in the worker, and says whose there are."""

    def __init__(self) -> None:
        self._new: set[UUID] = set()

    async def take(self, tx: Tx, envelopes: Sequence[Envelope]) -> None:
        """The tap's end: keeps them."""
        await keep(tx, envelopes)
        tenant = tx.tenant
        tx.after_commit.append(lambda: self._new.add(tenant))

    async def announce_events(self, worker: WorkerContext) -> None:
        """The worker's loop that tells the other processes."""
        while True:
            await worker.pause(60)
            new, self._new = self._new, set()
            if not new:
                continue
            try:
                await notify(worker.database, CHANNEL, _told(new))
            except PASSING as error:  # they look for themselves
                _log.warning("not_announced", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_TOGETHER_S)


async def prune_events(worker: WorkerContext) -> None:
    """The worker's loop that removes what is old."""
    while True:
        await prune(worker.database, before=worker.clock.now() - subscription_settings().kept_for)
        await asyncio.sleep(_PRUNE_EVERY_S)


async def prune(database: Database, *, before: datetime) -> None:
    """Remove every company's events that were kept before a time."""
    for tenant in await store.tenants_with_events(database):
        more = True
        while more:
            async with database.transaction(tenant) as tx:
                more = await store.prune(tx, before)


def tenants_in(text: str) -> set[UUID]:
    """The companies that a piece of news speaks of."""
    return {UUID(part) for part in text.split(",")}


def _told(tenants: set[UUID]) -> str:
    text = ",".join(tenant.hex for tenant in tenants)
    return text if len(text) <= LONGEST else ""
