"""Building an audience: every member is judged, a few hundred at a time."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from crm_communication_dispatch.audiences import store
from crm_communication_dispatch.audiences.commands import BUILD
from crm_communication_dispatch.audiences.domain import MERGED, Audience, AudienceStatus
from crm_communication_dispatch.customers import store as customers
from crm_communication_dispatch.governance.domain import Ruling
from crm_communication_dispatch.messages.judging import Judge
from crm_shared.db.operations import Job, Jobs
from crm_shared.db.pool import Tx

JOBS = Jobs()
_PAGE = 250


@JOBS.on(BUILD)
async def build_audience(job: Job) -> dict[str, Any]:
    """Go through the segment from wherever an earlier run stopped; then count."""
    audience_id = UUID(job.payload["audience_id"])
    done = job.state.get("done", 0)
    while True:
        async with job.transaction() as tx:
            found = await store.lock(tx, audience_id)
            if found is None or found.status is not AudienceStatus.BUILDING:
                return {}
            after = UUID(job.state.get("after", str(store.FIRST)))
            page = await store.segment_page(tx, found.segment_id, found.segment_version or 0, after=after, limit=_PAGE)
            if not page:
                return await _finish(tx, job, audience_id)
            await _judge_page(tx, job, found, page)
            done += len(page)
            job.state.update(after=str(page[-1]), done=done)
            await job.progress(done, found.expected, tx=tx)


async def _judge_page(tx: Tx, job: Job, audience: Audience, page: list[UUID]) -> None:
    """Write who of a page is in and who is out. Caps and quiet hours delay mails; they exclude nobody here."""
    now = job.clock.now()
    judge = await Judge.of(tx, audience.channel, page, now=now)
    judge.policy = replace(judge.policy, caps=(), quiet_hours={})
    known = await customers.get_customers(tx, page)
    members: list[tuple[UUID, UUID, str | None]] = []
    for key in page:
        verdict = judge.judge_customer(key, audience.purpose, now)
        reached = known[key].id if key in known else key
        members.append((key, reached, None if verdict.ruling is Ruling.SEND else verdict.reason))
    written = await store.add_members(tx, audience.id, members)
    twice = [(key, reached, MERGED) for key, reached, _ in members if key not in written]
    if twice:
        await store.add_members(tx, audience.id, twice)


async def _finish(tx: Tx, job: Job, audience_id: UUID) -> dict[str, Any]:
    included, excluded = await store.totals(tx, audience_id)
    await store.change(
        tx,
        audience_id,
        status=AudienceStatus.READY.value,
        included=included,
        excluded=excluded,
        ready_at=job.clock.now(),
    )
    return {"included": included, "excluded": excluded}
