"""Evaluating all customers."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from crm_customer.lifecycle import commands, store
from crm_customer.pacing import pages_of_customers, total_customers
from crm_shared.db.operations import Job, Jobs

JOBS = Jobs()


@JOBS.on(commands.EVALUATION)
async def evaluate_all(job: Job) -> dict[str, Any]:
    """Walk over all customers, page by page, and move along whose state changes."""
    total = await total_customers(job)
    as_of: str | None = job.payload["as_of"]
    async for ids in pages_of_customers(job):
        async with job.transaction() as tx:
            rules = await store.rules(tx)
            if as_of is not None:
                rules = replace(rules, as_of=datetime.fromisoformat(as_of))
            moved = await commands.evaluate(tx, ids, rules, now=job.clock.now())
            job.state["changed"] = job.state.get("changed", 0) + moved
            job.state["done"] = job.state.get("done", 0) + len(ids)
            await job.progress(job.state["done"], total, tx=tx)
    return {"customers": job.state.get("done", 0), "changed": job.state.get("changed", 0)}
