"""What waits in a service's database, for its gauges: asked every few seconds, so no part of it reads a whole table."""

from dataclasses import dataclass
from datetime import datetime

from crm_shared.db import metrics
from crm_shared.db.outbox import SLOTS
from crm_shared.db.parking import FAILED, GAP, UNDECODABLE, WAITS_FOR_SNAPSHOT
from crm_shared.db.pool import Database

MOST = 10_000
"""Counting goes no further: whether it is ten thousand or a million changes nothing in what has to be done."""
_REASONS = (FAILED, GAP, UNDECODABLE, WAITS_FOR_SNAPSHOT)

_LOOK = f"""
SELECT
    (SELECT count(*) FROM (SELECT FROM outbox LIMIT {MOST}) AS few) AS unpublished,
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(first.created_at)), 0)::float8
     FROM generate_series(0, {SLOTS - 1}) AS s(slot) CROSS JOIN LATERAL (
        SELECT created_at FROM outbox o WHERE o.slot = s.slot ORDER BY o.id LIMIT 1) AS first) AS oldest_s,
    (SELECT count(*) FROM (SELECT FROM outbox WHERE parked_at IS NOT NULL LIMIT {MOST}) AS few) AS unsendable,
    (SELECT count(*) FROM (SELECT FROM due WHERE due_at <= $1 LIMIT {MOST}) AS few) AS due,
    (SELECT coalesce(extract(epoch FROM $1 - min(due_at)), 0)::float8 FROM due WHERE due_at <= $1) AS late_s,
    (SELECT count(*) FROM (SELECT FROM operation WHERE finished_at IS NULL LIMIT {MOST}) AS few) AS unfinished
"""  # noqa: S608 # our own numbers
_PARKED = f"""
SELECT reason, count(*) AS keys FROM (SELECT reason FROM consumer_key WHERE parked_at IS NOT NULL LIMIT {MOST}) AS few
GROUP BY reason
"""  # noqa: S608 # as above


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one service; none of the counts goes past `MOST`."""

    unpublished: int
    oldest_s: float
    unsendable: int
    due: int
    late_s: float
    unfinished: int
    parked: dict[str, int]

    def show(self, service: str) -> None:
        """Set the service's gauges. All its workers set the same values."""
        metrics.UNPUBLISHED.labels(service).set(self.unpublished)
        metrics.OUTBOX_AGE.labels(service).set(self.oldest_s)
        metrics.UNSENDABLE.labels(service).set(self.unsendable)
        metrics.DUE.labels(service).set(self.due)
        metrics.DUE_LATE.labels(service).set(self.late_s)
        metrics.UNFINISHED.labels(service).set(self.unfinished)
        for reason in _REASONS:
            metrics.PARKED_KEYS.labels(service, reason).set(self.parked.get(reason, 0))


async def backlog_of(database: Database, *, now: datetime) -> Backlog:
    """Look, as the worker."""
    async with database.across() as tx:
        row = await tx.connection.fetchrow(_LOOK, now)
        parked = await tx.connection.fetch(_PARKED)
    assert row is not None
    return Backlog(**dict(row), parked={found["reason"]: found["keys"] for found in parked})
