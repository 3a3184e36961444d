"""Closing intervals."""

from datetime import datetime, timedelta

from crm_contact_center.agents import store as agents
from crm_contact_center.metrics import store
from crm_contact_center.metrics.domain.figures import INTERVAL, interval_of
from crm_contact_center.metrics.queries import measure_agents
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx

CLOSE = "metrics.close"
_GRACE = timedelta(seconds=60)
"""So that what happened at an interval's very end has been committed by then."""


async def watch(tx: Tx, at: datetime) -> None:
    """Have the interval of an instant closed when it is over."""
    starts_at = interval_of(at)
    await schedule(tx, CLOSE, key=starts_at.isoformat(), due_at=starts_at + INTERVAL + _GRACE)


async def close_interval(tx: Tx, starts_at: datetime, *, now: datetime) -> None:
    """Keep an interval's figures; done again, it keeps the same. If somebody was there at its end, the next follows."""
    ends_at = starts_at + INTERVAL
    await store.keep(tx, starts_at, await store.measure(tx, starts_at, ends_at))
    await store.keep_agents(tx, starts_at, await measure_agents(tx, starts_at, ends_at))
    await store.close(tx, starts_at, now)
    if await agents.anybody_there(tx, ends_at):
        await watch(tx, ends_at)
