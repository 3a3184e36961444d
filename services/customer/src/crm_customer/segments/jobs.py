"""Materialising a segment."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.pacing import pages_of_customers, total_customers
from crm_customer.segments.commands import membership
from crm_customer.segments.commands.defining import custom_types, found
from crm_customer.segments.domain.tree import parse
from crm_customer.segments.store import segments as store
from crm_customer.segments.store.compiling import Scope
from crm_shared.db.operations import Job, Jobs

JOBS = Jobs()
_FIRST_ID = str(UUID(int=0))


@JOBS.on(membership.MATERIALISATION)
async def materialise(job: Job) -> dict[str, Any]:
    """Walk over all customers, page by page, and let them enter or exit."""
    segment_id, as_of = UUID(job.payload["segment_id"]), datetime.fromisoformat(job.payload["as_of"])
    total = await total_customers(job)
    done = int(job.state.get("done", 0))
    after = UUID(job.state.get("after", _FIRST_ID))
    async for ids in pages_of_customers(job):
        async with job.transaction() as tx:
            known = await found(tx, segment_id)
            rule = parse(known.materialised_rule or known.rule, await custom_types(tx))
            scope = Scope(after=after, upto=ids[-1])
            occasion = membership.Occasion("materialised", as_of, job.clock.now())
            grown = await membership.bring_in_line(tx, known, rule, scope, on=occasion)
            await store.add_to_count(tx, segment_id, grown)
            done += len(ids)
            job.state["done"] = done
            await job.progress(done, total, tx=tx)
        after = ids[-1]
    async with job.transaction() as tx:
        complete = await membership.finish_materialisation(tx, segment_id, now=job.clock.now())
        await job.progress(done, total, tx=tx)
    return {"version": complete.materialised_version, "count": complete.members}
