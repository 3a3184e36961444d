"""Importing purchases."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from crm_customer.behaviour import commands as behaviour
from crm_customer.behaviour.commands import Report, Reported
from crm_customer.behaviour.domain import SEGMENTS_WORK
from crm_customer.lifecycle import commands as lifecycle_commands
from crm_customer.lifecycle import store as lifecycle
from crm_customer.pacing import PAGE, wait_for_room
from crm_customer.parties.store import aliases, reading
from crm_customer.segments.store import segments
from crm_customer.transfer import store
from crm_customer.transfer.domain import ImportKind, RowErrors, Tally
from crm_customer.transfer.jobs.customers import refused
from crm_customer.transfer.jobs.walking import Applied, Walk, finished, imported
from crm_customer.transfer.reading import PurchaseRow, read_purchases
from crm_customer.transfer.store import Import
from crm_shared.db.due import schedule
from crm_shared.db.operations import Job
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, FieldError, Invalid
from crm_shared.ids import parse_id
from crm_shared.tenancy import Viewer

_FIRST_ID = str(UUID(int=0))


async def import_purchases(job: Job) -> dict[str, Any]:
    """Report each purchase of the file, then work out once for each customer what follows from all of theirs."""
    item = await imported(job, ImportKind.PURCHASES)
    walk: Walk[PurchaseRow] = Walk(job, item, read_purchases, partial(_apply, job))
    tally = await walk.to_the_end()
    await _derive(job, item, tally)
    return await finished(job, item, tally)


async def _apply(job: Job, tx: Tx, item: Import, rows: Sequence[PurchaseRow]) -> Applied:
    viewer = replace(Viewer.system(tx.tenant), subject=job.subject)
    reports, errors = await _reports(tx, item, rows)
    results = await behaviour.report_many(
        tx, viewer, [report for _, report in reports], now=job.clock.now(), announce=False
    )
    created = 0
    owners: set[UUID] = set()
    for (row, report), result in zip(reports, results, strict=True):
        if isinstance(result, CrmError):
            errors.append(refused(row.row, result))
        elif not result.repeated:
            created += 1
            owners.add(report.customer_id)
    await store.touch(tx, item.id, sorted(owners))
    kept = sum(isinstance(result, Reported) for result in results)
    return Applied(Tally(created=created, unchanged=kept - created), errors)


async def _reports(
    tx: Tx, item: Import, rows: Sequence[PurchaseRow]
) -> tuple[list[tuple[PurchaseRow, Report]], list[RowErrors]]:
    settings = item.settings
    external = sorted({row.customer_external_id for row in rows if row.customer_external_id is not None})
    known = await reading.ids_by_external(tx, settings.customer_source, external)
    reports: list[tuple[PurchaseRow, Report]] = []
    errors: list[RowErrors] = []
    for row in rows:
        customer_id = _customer_id(row) or known.get(row.customer_external_id or "")
        if customer_id is None:
            missing = FieldError("/customer_external_id", "customer_not_found", "There is no such customer.")
            errors.append(RowErrors(row.row, (missing,)))
            continue
        report = Report(
            customer_id=customer_id,
            kind=row.kind,
            source=settings.source,
            external_id=row.external_id,
            occurred_at=row.occurred_at,
            amount=row.amount,
            quantity=row.quantity,
            order_ref=row.order_ref,
        )
        reports.append((row, report))
    return reports, errors


def _customer_id(row: PurchaseRow) -> UUID | None:
    if row.customer_id is None:
        return None
    try:
        return parse_id("cus", row.customer_id)
    except Invalid:
        return None


async def _derive(job: Job, item: Import, tally: Tally) -> None:
    """Move the customers whose behaviour changed along their lifecycle, and have segments look at them."""
    while True:
        await job.check_cancelled()
        await wait_for_room(job)
        now = job.clock.now()
        async with job.transaction() as tx:
            after = UUID(job.state.get("derived", _FIRST_ID))
            ids = await store.touched(tx, item.id, after=after, limit=PAGE)
            if not ids:
                await store.forget_touched(tx, item.id)
                return
            answering = sorted(set((await aliases.canonical(tx, ids)).values()))
            await lifecycle_commands.evaluate(tx, answering, await lifecycle.rules(tx), now=now)
            if await segments.any_dynamic(tx):
                payload = {"customers": [str(each) for each in answering]}
                await schedule(tx, SEGMENTS_WORK, key=f"{item.id}:{ids[-1]}", due_at=now, payload=payload)
            job.state["derived"] = str(ids[-1])
            await job.progress(tally.rows, max(item.lines, tally.rows), tx=tx)
