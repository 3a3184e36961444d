"""Rating all customers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.pacing import PAGE, wait_for_room
from crm_customer.value import commands, store
from crm_customer.value.events import ValueRated
from crm_customer.value.store import Run
from crm_shared.db.operations import Job, Jobs

JOBS = Jobs()


@JOBS.on(commands.RATING)
async def rate_all(job: Job) -> dict[str, Any]:
    """Work out all scores at once, then hand them over page by page; only changed scores are told to others."""
    run = await _begun(job)
    while True:
        await job.check_cancelled()
        await wait_for_room(job)
        if not await _hand_over(job, run):
            break
    async with job.transaction() as tx:
        await store.finish(tx, run.run, changed=job.state["changed"], now=job.clock.now())
    return {"run": run.run, "customers": run.customers, "changed": job.state["changed"]}


async def _begun(job: Job) -> Run:
    async with job.transaction() as tx:
        if "run" in job.state:
            known = await store.begun(tx, job.state["run"])
            assert known is not None
            return known
        as_of, currency = datetime.fromisoformat(job.payload["as_of"]), job.payload["currency"]
        run = await store.begin(tx, as_of=as_of, currency=currency, now=job.clock.now())
        job.state |= {"run": run.run, "changed": 0, "done": 0, "after": str(UUID(int=0))}
        await job.progress(0, run.customers, tx=tx)
        return run


async def _hand_over(job: Job, run: Run) -> bool:
    now, after = job.clock.now(), UUID(job.state["after"])
    async with job.transaction() as tx:
        page = await store.drafted(tx, run, after=after, limit=PAGE)
        if not page:
            return False
        upto = page[-1].rating.customer_id
        await store.keep(tx, run, after=after, upto=upto, now=now)
        changed = [drafted.rating for drafted in page if drafted.scores_changed]
        for rating in changed:
            tx.emit(ValueRated.of(rating, now), aggregate_id=rating.customer_id)
        job.state["after"] = str(upto)
        job.state["changed"] += len(changed)
        job.state["done"] += len(page)
        await job.progress(job.state["done"], run.customers, tx=tx)
    return True
