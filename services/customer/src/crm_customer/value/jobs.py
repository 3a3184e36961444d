"""Rating all customers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.pacing import PAGE, wait_for_room
from crm_customer.value import commands, store
from crm_customer.value.events import ValueRated
from crm_shared.db.operations import Job, Jobs

JOBS = Jobs()


@JOBS.on(commands.RATING)
async def rate_all(job: Job) -> dict[str, Any]:
    """Work out all scores at once, then hand them over page by page; only changed scores are told to others."""
    if "run" not in job.state:
        await _begin(job)
    total, done = int(job.state["customers"]), int(job.state["done"])
    while True:
        await job.check_cancelled()
        await wait_for_room(job)
        handed_over = await _hand_over(job, done, total)
        if not handed_over:
            break
        done += handed_over
    async with job.transaction() as tx:
        await store.finish(tx, job.state["run"], changed=job.state["changed"], now=job.clock.now())
        await job.progress(done, total, tx=tx)
    return {"run": job.state["run"], "customers": total, "changed": job.state["changed"]}


async def _begin(job: Job) -> None:
    as_of, currency = datetime.fromisoformat(job.payload["as_of"]), job.payload["currency"]
    async with job.transaction() as tx:
        run = await store.begin(tx, as_of=as_of, currency=currency, now=job.clock.now())
        job.state |= {
            "run": run.run,
            "customers": run.customers,
            "changed": 0,
            "done": 0,
            "after": str(UUID(int=0)),
        }
        await job.progress(0, run.customers, tx=tx)


async def _hand_over(job: Job, done: int, total: int) -> int:
    now = job.clock.now()
    async with job.transaction() as tx:
        page = await store.drafted(
            tx, job.state["run"], job.payload["currency"], after=UUID(job.state["after"]), limit=PAGE
        )
        if not page:
            return 0
        await store.keep(tx, [drafted.rating for drafted in page], run=job.state["run"], now=now)
        changed = [drafted.rating for drafted in page if drafted.scores_changed]
        for rating in changed:
            tx.emit(ValueRated.of(rating, now), aggregate_id=rating.customer_id)
        job.state["after"] = str(page[-1].rating.customer_id)
        job.state["changed"] += len(changed)
        job.state["done"] = done + len(page)
        await job.progress(done + len(page), total, tx=tx)
    return len(page)
