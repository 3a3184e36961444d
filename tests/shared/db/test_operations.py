"""Long jobs that are cut off go on from their checkpoint."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from crm_shared.db.operations import Job, Jobs, run_one_operation, start_operation
from crm_shared.testing.kit import ServiceKit


async def _state(kit: ServiceKit, tenant: Any, job: Any) -> tuple[str, int]:
    async with kit.transaction(tenant) as tx:
        row = await tx.connection.fetchrow("SELECT state, done FROM operation WHERE id = $1", job.id)
    assert row is not None
    return row["state"], row["done"]


@pytest.mark.parametrize("fault", [asyncpg.DeadlockDetectedError("again"), asyncpg.ConnectionDoesNotExistError("away")])
async def test_a_job_cut_off_by_a_passing_fault_goes_on_from_its_checkpoint(kit: ServiceKit, fault: Exception) -> None:
    tenant, jobs, seen = kit.tenant(), Jobs(), list[int]()

    @jobs.on("probe.fragile")
    async def fragile(job: Job) -> dict[str, Any]:
        for step in range(job.state.get("done", 0), 4):
            seen.append(step)
            if seen == [0, 1, 2]:
                raise fault
            job.state["done"] = step + 1
            await job.progress(step + 1, 4)
        return {}

    async with kit.transaction(tenant) as tx:
        queued = await start_operation(tx, "probe.fragile", {}, viewer=kit.viewer(tenant), now=kit.clock.now())
    assert await run_one_operation(kit.worker, jobs, kit.clock)
    assert await _state(kit, tenant, queued) == ("running", 2)
    kit.clock.advance(timedelta(seconds=2))
    assert await run_one_operation(kit.worker, jobs, kit.clock)
    assert await _state(kit, tenant, queued) == ("succeeded", 4)
    assert seen == [0, 1, 2, 2, 3]


async def test_a_job_that_is_simply_wrong_ends_and_says_so(kit: ServiceKit) -> None:
    tenant, jobs = kit.tenant(), Jobs()

    @jobs.on("probe.wrong")
    async def wrong(job: Job) -> None:
        raise KeyError("a bug")

    async with kit.transaction(tenant) as tx:
        queued = await start_operation(tx, "probe.wrong", {}, viewer=kit.viewer(tenant), now=kit.clock.now())
    assert await run_one_operation(kit.worker, jobs, kit.clock)
    assert (await _state(kit, tenant, queued))[0] == "failed"
