"""How an import walks through its file: piece by piece, batch by batch, each batch done once or not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crm_customer.pacing import wait_for_room
from crm_customer.transfer import store
from crm_customer.transfer.domain import MAX_ERRORS_KEPT, ImportKind, RowErrors, Settings, Tally
from crm_customer.transfer.store import Import
from crm_shared.db.cpu import run_in_process
from crm_shared.db.operations import Job
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound

R = TypeVar("R")
BATCH = 250
"""Few enough that no step between two statements keeps the event loop for long."""
_SMALL_BYTES = 8_192
"""A piece this small is read in place: another process would take longer to start than the reading takes."""

Read = Callable[[bytes, Sequence[str], Settings, int], list[Any]]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch."""

    tally: Tally
    errors: Sequence[RowErrors]


class TryingOut(Exception):
    """Ends a dry run's transaction, so that nothing of it stays."""


@dataclass(slots=True)
class Walk(Generic[R]):
    """One import's way through its file."""

    job: Job
    item: Import
    read: Read
    apply: Callable[[Tx, Import, Sequence[R]], Awaitable[Applied]]

    async def to_the_end(self) -> Tally:
        """Walk from where an earlier run stopped to the end of the file."""
        tally = Tally(**self.job.state.get("tally", {}))
        number, first_row = int(self.job.state.get("piece", 0)), int(self.job.state.get("first_row", 1))
        rows = await self._read(number, first_row)
        while rows is not None:
            # The next piece is read in its own process while this one is applied.
            ahead = asyncio.create_task(self._read(number + 1, first_row + len(rows)))
            try:
                tally = await self._through(rows, number, first_row, tally)
                number, first_row = number + 1, first_row + len(rows)
                rows = await ahead
            finally:
                ahead.cancel()
        return tally

    async def _through(self, rows: list[Any], number: int, first_row: int, tally: Tally) -> Tally:
        state = self.job.state
        for offset in range(int(state.get("offset", 0)), len(rows), BATCH):
            batch = rows[offset : offset + BATCH]
            await self.job.check_cancelled()
            await wait_for_room(self.job)
            end = offset + len(batch)
            done = {"piece": number + 1, "offset": 0, "first_row": first_row + len(rows)}
            state |= done if end == len(rows) else {"piece": number, "offset": end, "first_row": first_row}
            tally = await self._do(batch, tally)
        return tally

    async def _read(self, number: int, first_row: int) -> list[Any] | None:
        async with self.job.transaction() as tx:
            body = await store.chunk(tx, self.item.upload_id, number)
        if body is None:
            return None
        arguments = (body, self.item.header, self.item.settings, first_row)
        if len(body) <= _SMALL_BYTES:
            return self.read(*arguments)
        return await run_in_process(self.read, *arguments)

    async def _do(self, batch: Sequence[Any], tally: Tally) -> Tally:
        """Apply one batch with its progress; a dry run keeps the progress only."""
        refused = [row for row in batch if isinstance(row, RowErrors)]
        good = [row for row in batch if not isinstance(row, RowErrors)]
        applied = Applied(Tally(), ())
        if not self.item.settings.dry_run:
            async with self.job.transaction() as tx:
                applied = await self.apply(tx, self.item, good)
                return await self._keep(tx, batch, refused, applied, tally)
        try:
            async with self.job.transaction() as tx:
                applied = await self.apply(tx, self.item, good)
                raise TryingOut
        except TryingOut:
            async with self.job.transaction() as tx:
                return await self._keep(tx, batch, refused, applied, tally)

    async def _keep(
        self, tx: Tx, batch: Sequence[Any], refused: Sequence[RowErrors], applied: Applied, tally: Tally
    ) -> Tally:
        errors = [*refused, *applied.errors]
        now = tally.plus(applied.tally).plus(Tally(rows=len(batch), failed=len(errors)))
        if tally.failed < MAX_ERRORS_KEPT:
            await store.add_errors(tx, self.item.id, errors)
        await store.set_tally(tx, self.item.id, now, finished_at=None)
        self.job.state["tally"] = {name: getattr(now, name) for name in Tally.__dataclass_fields__}
        await self.job.progress(now.rows, max(self.item.lines, now.rows), tx=tx)
        return now


async def imported(job: Job, kind: ImportKind) -> Import:
    """The import that a job carries out; it bears the job's id."""
    async with job.transaction() as tx:
        item = await store.get(tx, kind, job.id)
    if item is None:
        raise NotFound("The import isn't there any more.", code="import_not_found")
    return item


async def finished(job: Job, item: Import, tally: Tally) -> dict[str, Any]:
    """End an import: its file goes, its figures stay."""
    async with job.transaction() as tx:
        await store.set_tally(tx, item.id, tally, finished_at=job.clock.now())
        await store.drop_chunks(tx, item.upload_id)
    return {name: getattr(tally, name) for name in Tally.__dataclass_fields__} | {"dry_run": item.settings.dry_run}
