"""Long jobs: an operation is a row with progress that anybody allowed can read, cancel, and find the result of.

A handler works in transactions of its own and saves a checkpoint with its progress. A worker that dies leaves a lease
that lapses; another worker goes on from the checkpoint. So does a job that a deadlock or a lost connection cut off.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, literal_column, or_, select, update
from sqlalchemy.sql import ClauseElement

from crm_shared.clock import Clock
from crm_shared.db import metrics
from crm_shared.db.away import PASSING
from crm_shared.db.pool import Database, Record, Tx
from crm_shared.db.tables import departed, operation
from crm_shared.errors import Conflict, CrmError, NotFound
from crm_shared.ids import new_id
from crm_shared.observability.logs import logger
from crm_shared.observability.tracing import Begun, Trace, began, current_trace
from crm_shared.tenancy import Viewer

_log = logger("operations")
_LEASE = timedelta(seconds=30)
_MAX_ATTEMPTS = 20
_RETRY_AFTER = timedelta(seconds=1)


class State(StrEnum):
    """Where an operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Operation:
    """One long job as its owner sees it; `total` is None until it is known."""

    id: UUID
    kind: str
    state: State
    done: int
    total: int | None
    result: dict[str, Any] | None
    problem: dict[str, Any] | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Cancelled(Exception):  # not an error: somebody asked for it
    """The operation was asked to stop; raised out of `Job.check_cancelled`."""


_o = operation
_SEEN: list[Any] = [getattr(_o.c, name) for name in Operation.__dataclass_fields__]
_START = insert(_o).values(
    tenant_id=bindparam("tenant_id"),
    id=bindparam("id"),
    kind=bindparam("kind"),
    state=bindparam("state"),
    subject=bindparam("subject"),
    payload=bindparam("payload"),
    checkpoint=bindparam("checkpoint"),
    created_at=bindparam("created_at"),
    traceparent=bindparam("traceparent"),
)
_GET = select(*_SEEN).where(_o.c.id == bindparam("id"))
_cancelling = update(_o).where(_o.c.id == bindparam("i"), _o.c.finished_at.is_(None)).values(cancel_requested=True)
_CANCEL = cast("ClauseElement", _cancelling.returning(*_SEEN))
_CLAIMABLE = (
    select(
        *(_o.c.tenant_id, _o.c.id, _o.c.kind, _o.c.payload, _o.c.checkpoint, _o.c.subject, _o.c.attempts),
        _o.c.traceparent,
    )
    .where(
        _o.c.finished_at.is_(None),
        ~exists().where(departed.c.tenant_id == _o.c.tenant_id),
        or_(_o.c.lease_until.is_(None), _o.c.lease_until < bindparam("now", type_=_o.c.created_at.type)),
    )
    .order_by(_o.c.created_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LEASE_IT = (
    update(_o)
    .where(_o.c.tenant_id == bindparam("t"), _o.c.id == bindparam("i"))
    .values(
        state=State.RUNNING.value,
        lease_until=bindparam("until"),
        attempts=_o.c.attempts + 1,
        started_at=literal_column("coalesce(started_at, now())"),
    )
)
_RENEW = update(_o).where(_o.c.id == bindparam("i")).values(lease_until=bindparam("until"))
_PROGRESS = (
    update(_o)
    .where(_o.c.id == bindparam("i"))
    .values(done=bindparam("d"), total=bindparam("n"), checkpoint=bindparam("c"), lease_until=bindparam("until"))
    .returning(_o.c.cancel_requested)
)
_FINISH = (
    update(_o)
    .where(_o.c.id == bindparam("i"))
    .values(
        state=bindparam("s"),
        result=bindparam("r"),
        problem=bindparam("p"),
        finished_at=bindparam("at"),
        lease_until=literal_column("NULL"),
    )
)


async def start_operation(tx: Tx, kind: str, payload: dict[str, Any], *, viewer: Viewer, now: datetime) -> Operation:
    """Queue a long job; a worker begins it after this transaction's commit."""
    started = Operation(new_id(), kind, State.QUEUED, 0, None, None, None, False, now, None, None)
    trace = current_trace()
    await tx.run(
        _START,
        {
            "tenant_id": tx.tenant,
            "id": started.id,
            "kind": kind,
            "state": State.QUEUED.value,
            "subject": viewer.subject,
            "payload": payload,
            "checkpoint": {},
            "created_at": now,
            "traceparent": trace.parent if trace else None,
        },
    )
    tx.after_commit.append(lambda: None)
    return started


async def get_operation(tx: Tx, viewer: Viewer, operation_id: UUID) -> Operation | None:
    """One operation of the viewer's tenant."""
    del viewer
    row = await tx.one(_GET, {"id": operation_id})
    return _read(row) if row else None


async def cancel_operation(tx: Tx, viewer: Viewer, operation_id: UUID, *, now: datetime) -> Operation:
    """Ask a running operation to stop at its next safe point.

    Raises:
        NotFound: there is no such operation.
        Conflict: it has ended.
    """
    del now
    row = await tx.one(_CANCEL, {"i": operation_id})
    if row is not None:
        return _read(row)
    if await get_operation(tx, viewer, operation_id) is None:
        raise NotFound("There is no such operation.", code="operation_not_found")
    raise Conflict("The operation has already ended.", code="operation_ended")


def _read(row: Record) -> Operation:
    return replace(Operation(**dict(row)), state=State(row["state"]))


@dataclass(slots=True)
class Job:
    """One run of an operation, as its handler sees it.

    `state` is the checkpoint: what a run that was cut off had saved is there when the next one begins.
    """

    database: Database
    tenant: UUID
    id: UUID
    payload: dict[str, Any]
    state: dict[str, Any]
    clock: Clock
    subject: str
    cancel_requested: bool = False

    @property
    def viewer(self) -> Viewer:
        """The suite itself, on behalf of this tenant."""
        return Viewer.system(self.tenant)

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction of the job's tenant."""
        return self.database.transaction(self.tenant)

    async def progress(self, done: int, total: int | None = None, *, tx: Tx | None = None) -> None:
        """Save how far the job is, with `state`; inside `tx` it is saved with that step or not at all."""
        if tx is None:
            async with self.transaction() as own:
                await self.progress(done, total, tx=own)
            return
        until = self.clock.now() + _LEASE
        asked = await tx.scalar(_PROGRESS, {"i": self.id, "d": done, "n": total, "c": self.state, "until": until})
        self.cancel_requested = bool(asked)

    async def check_cancelled(self) -> None:
        """Stop here if somebody asked for it.

        Raises:
            Cancelled: they did.
        """
        if not self.cancel_requested:
            async with self.database.reading(self.tenant) as tx:
                found = await get_operation(tx, self.viewer, self.id)
            self.cancel_requested = found is not None and found.cancel_requested
        if self.cancel_requested:
            raise Cancelled


JobHandler = Callable[[Job], Awaitable[dict[str, Any] | None]]


@dataclass(slots=True)
class Jobs:
    """The long jobs of a slice by kind."""

    handlers: dict[str, JobHandler] = field(default_factory=dict[str, JobHandler])

    def on(self, kind: str) -> Callable[[JobHandler], JobHandler]:
        """Register the handler of one kind; what it returns becomes the operation's result."""

        def register(handler: JobHandler) -> JobHandler:
            if kind in self.handlers:
                raise ValueError(f"two handlers for operations of kind {kind}")
            self.handlers[kind] = handler
            return handler

        return register


async def run_one_operation(database: Database, jobs: Jobs, clock: Clock) -> bool:
    """Take the oldest waiting or abandoned operation and carry it to its end; says whether there was any."""
    async with database.across() as tx:
        row = await tx.one(_CLAIMABLE, {"now": clock.now()})
        if row is None:
            return False
        await tx.run(_LEASE_IT, {"t": row["tenant_id"], "i": row["id"], "until": clock.now() + _LEASE})
    job = Job(database, row["tenant_id"], row["id"], row["payload"], row["checkpoint"], clock, row["subject"])
    handler = jobs.handlers.get(row["kind"])
    if handler is None or row["attempts"] >= _MAX_ATTEMPTS:
        await _end(job, State.FAILED, problem={"code": "operation_gave_up", "detail": "It failed too often."})
        return True
    clock_s = asyncio.get_running_loop().time
    began_s = clock_s()
    with began(Begun(database.service, f"job {row['kind']}", parent=Trace.read(row["traceparent"]))):
        async with _lease_kept(job):
            outcome = await _carry_out(job, handler)
    metrics.JOB_SECONDS.labels(database.service, row["kind"], outcome).observe(clock_s() - began_s)
    return True


async def _carry_out(job: Job, handler: JobHandler) -> str:
    """How it ended."""
    try:
        await job.check_cancelled()
        result = await handler(job)
    except Cancelled:
        return await _end(job, State.CANCELLED)
    except CrmError as error:
        return await _end(job, State.FAILED, problem={"code": error.code, "detail": error.detail})
    except PASSING as error:
        _log.warning("operation_interrupted", operation=str(job.id), error=error)
        await _lease_until(job, job.clock.now() + _RETRY_AFTER)
        return "interrupted"
    except Exception as error:  # noqa: BLE001 # whatever a job's bug is, its owner must be told that it ended
        _log.error("operation_failed", operation=str(job.id), exc_info=error)
        return await _end(
            job, State.FAILED, problem={"code": "internal", "detail": "The job failed; it has been logged."}
        )
    return await _end(job, State.SUCCEEDED, result=result or {})


async def _end(
    job: Job, state: State, *, result: dict[str, Any] | None = None, problem: dict[str, Any] | None = None
) -> str:
    async with job.transaction() as tx:
        await tx.run(_FINISH, {"i": job.id, "s": state.value, "r": result, "p": problem, "at": job.clock.now()})
    return state.value


async def _lease_until(job: Job, until: datetime) -> None:
    async with job.transaction() as tx:
        await tx.run(_RENEW, {"i": job.id, "until": until})


@asynccontextmanager
async def _lease_kept(job: Job) -> AsyncGenerator[None]:
    async def renew() -> None:
        while True:
            await asyncio.sleep(_LEASE.total_seconds() / 3)
            await _lease_until(job, job.clock.now() + _LEASE)

    renewal = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await renewal
