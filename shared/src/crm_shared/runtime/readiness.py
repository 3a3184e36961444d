"""What has to be well before a service's process is given work.

An api needs its database, no more: what it commits waits in the outbox while the bus is away. A worker needs both.
"""

from collections.abc import Mapping, Sequence

from crm_shared.bus.port import Bus, TopicMissing
from crm_shared.db.arrival import missing_revisions
from crm_shared.db.migrations import Schema
from crm_shared.db.pool import Database
from crm_shared.observability.health import Check, NotReady
from crm_shared.runtime.worker import Worker


class Migrated:
    """The database is as new as this code. Asked until it is: a database doesn't grow younger."""

    def __init__(self, schema: Schema, url: str) -> None:
        self._schema = schema
        self._url = url
        self._is = False

    async def __call__(self) -> None:
        """Look.

        Raises:
            NotReady: naming what it lacks.
        """
        if self._is:
            return
        missing = await missing_revisions(self._schema, self._url)
        if missing:
            raise NotReady(f"lacks {', '.join(sorted(missing))}")
        self._is = True


def of_database(database: Database, schema: Schema, url: str) -> Mapping[str, Check]:
    """Of a process that has this database."""
    return {"database": database.ping, "migrations": Migrated(schema, url)}


def of_worker(worker: Worker, bus: Bus, topics: Sequence[str]) -> Mapping[str, Check]:
    """Of a worker, beside its database."""

    async def reachable() -> None:
        missing = await bus.missing_topics(topics)
        if missing:
            raise TopicMissing(missing)

    async def joined() -> None:
        if not worker.consumer.ready:
            raise NotReady("hasn't joined its group")

    return {"bus": reachable, **({"consumer": joined} if worker.consumes else {})}
