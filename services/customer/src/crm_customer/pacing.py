"""How long jobs walk over many rows without getting in anybody's way."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from crm_customer.parties.store import reading
from crm_shared.db.operations import Job
from crm_shared.db.outbox import outbox_has_room

PAGE = 250
"""Few enough that no step between two statements keeps the event loop for long."""
_PAUSE_S = 0.05
_FIRST_ID = UUID(int=0)


async def wait_for_room(job: Job) -> None:
    """Pause while many events wait to be published, so that somebody's consent needn't stand in line."""
    while not await outbox_has_room(job.database):
        await job.check_cancelled()
        await asyncio.sleep(_PAUSE_S)


async def pages_of_customers(job: Job) -> AsyncIterator[list[UUID]]:
    """The ids of all records, a page at a time, from where an earlier run stopped.

    The loop's body saves the job's progress in the transaction of its own work: then a page is done once or not at all.
    """
    while True:
        await job.check_cancelled()
        await wait_for_room(job)
        async with job.transaction() as tx:
            after = UUID(job.state["after"]) if "after" in job.state else _FIRST_ID
            ids = await reading.page_of_ids(tx, after=after, limit=PAGE)
        if not ids:
            return
        job.state["after"] = str(ids[-1])
        yield ids


async def total_customers(job: Job) -> int:
    """How many records a walk will see; counted once and kept with the job."""
    if "total" not in job.state:
        async with job.transaction() as tx:
            job.state["total"] = await reading.count(tx)
    return int(job.state["total"])
