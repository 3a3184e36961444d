"""Due work: a row says what must happen when; the effect and the row's removal are one transaction.

Work of one tenant and kind shares a transaction, most overdue first. Where one piece fails, all of that transaction is
undone and each piece tried in one of its own, so that a failure stays its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, exists, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_shared.db import metrics
from crm_shared.db.away import PASSING
from crm_shared.db.pool import Database, Tx
from crm_shared.db.tables import departed, due
from crm_shared.observability.logs import logger
from crm_shared.observability.tracing import Begun, began

_log = logger("due")
_AT_ONCE = timedelta(milliseconds=100)
_FIRST_RETRY = timedelta(seconds=5)
_LONGEST_RETRY = timedelta(hours=1)
_BATCH = 50
_TURN_S = 0.05
"""How long a batch may go on before it commits: rows that it has locked are rows that a request may wait for."""

PURGE = "tenant.purge"
"""The one kind of work that goes on when its tenant has left."""
RESTING = datetime(9000, 1, 1, tzinfo=UTC)
"""When work of a tenant that has left is due; those that come back find it as it was."""

_insert = insert(due).values(
    tenant_id=bindparam("tenant_id"),
    kind=bindparam("kind"),
    key=bindparam("key"),
    due_at=bindparam("due_at"),
    payload=bindparam("payload"),
)
_SCHEDULE = _insert.on_conflict_do_update(
    index_elements=[due.c.tenant_id, due.c.kind, due.c.key],
    set_={
        "due_at": _insert.excluded.due_at,
        "payload": _insert.excluded.payload,
        "attempts": literal_column("0"),
        "last_error": literal_column("NULL"),
    },
)
_has_left = and_(due.c.kind != PURGE, exists().where(departed.c.tenant_id == due.c.tenant_id)).label("rests")
_COLUMNS = (due.c.tenant_id, due.c.kind, due.c.key, due.c.due_at, due.c.payload, due.c.attempts, _has_left)
_UNSCHEDULE = delete(due).where(due.c.kind == bindparam("kind"), due.c.key == bindparam("key"))
_now = bindparam("now", type_=due.c.due_at.type)
_first = (
    select(due.c.tenant_id, due.c.kind)
    .where(due.c.due_at <= _now)
    .order_by(due.c.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("first")
)
_CLAIM = (
    select(*_COLUMNS)
    .join_from(_first, due, and_(due.c.tenant_id == _first.c.tenant_id, due.c.kind == _first.c.kind))
    .where(due.c.due_at <= _now)
    .order_by(due.c.due_at)
    .limit(_BATCH)
    .with_for_update(skip_locked=True, of=due)
)
_CLAIM_ONE = (
    select(*_COLUMNS)
    .where(
        due.c.tenant_id == bindparam("tenant"),
        due.c.kind == bindparam("k"),
        due.c.key == bindparam("y"),
        due.c.due_at <= _now,
    )
    .with_for_update(skip_locked=True)
)
_REST = update(due).where(due.c.kind == bindparam("k"), due.c.key == bindparam("y")).values(due_at=bindparam("resting"))
_RETRY_LATER = (
    update(due)
    .where(due.c.tenant_id == bindparam("tenant"), due.c.kind == bindparam("k"), due.c.key == bindparam("y"))
    .values(due_at=bindparam("at"), attempts=due.c.attempts + 1, last_error=bindparam("error"))
)


@dataclass(frozen=True, slots=True)
class Due:
    """One piece of due work, as its handler gets it; `attempts` counts earlier failures.

    What `rests` isn't carried out: its tenant has left.
    """

    tenant: UUID
    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any]
    attempts: int
    rests: bool


TimerHandler = Callable[..., Awaitable[None]]
"""`async def handler(tx: Tx, due: Due, *, now: datetime) -> None`"""


@dataclass(slots=True)
class Timers:
    """What a slice does when work of a kind falls due."""

    handlers: dict[str, TimerHandler] = field(default_factory=dict[str, TimerHandler])

    def on(self, kind: str) -> Callable[[TimerHandler], TimerHandler]:
        """Register the handler of one kind."""

        def register(handler: TimerHandler) -> TimerHandler:
            if kind in self.handlers:
                raise ValueError(f"two handlers for due work of kind {kind}")
            self.handlers[kind] = handler
            return handler

        return register


async def schedule(tx: Tx, kind: str, *, key: str, due_at: datetime, payload: dict[str, Any] | None = None) -> None:
    """Have `kind` happen at `due_at`; a second call with the same key moves it."""
    await tx.run(
        _SCHEDULE, {"tenant_id": tx.tenant, "kind": kind, "key": key, "due_at": due_at, "payload": payload or {}}
    )
    tx.after_commit.append(_nothing)


async def schedule_many(tx: Tx, kind: str, rows: list[tuple[str, datetime, dict[str, Any]]]) -> None:
    """Have `kind` happen for many keys: `(key, due_at, payload)` each."""
    await tx.many(
        _SCHEDULE,
        [
            {"tenant_id": tx.tenant, "kind": kind, "key": key, "due_at": at, "payload": payload}
            for key, at, payload in rows
        ],
    )
    tx.after_commit.append(_nothing)


async def unschedule(tx: Tx, kind: str, *, key: str) -> bool:
    """Take due work back; says whether there was any."""
    return await tx.run(_UNSCHEDULE, {"kind": kind, "key": key}) > 0


def _nothing() -> None:
    """Scheduling alone is reason enough to wake the worker after the commit."""


async def run_due(database: Database, timers: Timers, *, now: datetime) -> int:
    """Carry out the most overdue work with more of its tenant and kind; says how many pieces (0: none is due).

    A failing handler leaves its row, to be tried again after 5 seconds (a tenth of a second where the fault will pass,
    such as a deadlock), then ever later up to an hour.
    """
    claimed: list[Due] = []
    done = 0
    try:
        async with database.across() as tx:
            claimed = [Due(*row) for row in await tx.all(_CLAIM, {"now": now})]
            if claimed:
                done = await _carry_out(database, tx, timers, claimed, now)
    except Exception as error:
        match claimed:
            case []:
                raise
            case [only]:
                await _postpone(database, only, error, now)
            case _:
                for piece in claimed:
                    await _alone(database, timers, piece, now)
        return len(claimed)
    return done


async def _alone(database: Database, timers: Timers, piece: Due, now: datetime) -> None:
    """Carry out one piece in a transaction of its own, unless another worker has."""
    try:
        async with database.across() as tx:
            which = {"tenant": piece.tenant, "k": piece.kind, "y": piece.key, "now": now}
            row = await tx.one(_CLAIM_ONE, which)
            if row is not None:
                await _carry_out(database, tx, timers, [Due(*row)], now)
    except Exception as error:  # noqa: BLE001 # whatever a handler raises, its work is tried again
        await _postpone(database, piece, error, now)


async def _carry_out(database: Database, tx: Tx, timers: Timers, claimed: Sequence[Due], now: datetime) -> int:
    """As many of them as one turn allows; says how many. The others stay due."""
    handler = timers.handlers.get(claimed[0].kind)
    if handler is None:
        raise LookupError(f"nobody handles due work of kind {claimed[0].kind}")  # kept for a later version
    await database.become(tx, claimed[0].tenant)
    if claimed[0].rests:
        await tx.many(_REST, [{"k": piece.kind, "y": piece.key, "resting": RESTING} for piece in claimed])
        return len(claimed)
    clock = asyncio.get_running_loop().time
    began_s = clock()
    count = 0
    with began(Begun(database.service, f"timer {claimed[0].kind}")):
        for count, piece in enumerate(claimed, 1):  # noqa: B007 # what it came to is the answer
            # The row goes first: a handler may schedule the same key anew.
            await tx.run(_UNSCHEDULE, {"kind": piece.kind, "key": piece.key})
            await handler(tx, piece, now=now)
            if clock() > began_s + _TURN_S:
                break
    metrics.TIMER_SECONDS.labels(database.service, claimed[0].kind).observe(clock() - began_s)
    metrics.TIMERS.labels(database.service, claimed[0].kind, "done").inc(count)
    return count


async def _postpone(database: Database, claimed: Due, error: Exception, now: datetime) -> None:
    first = _AT_ONCE if isinstance(error, PASSING) else _FIRST_RETRY
    wait = min(first * 2 ** min(claimed.attempts, 20), _LONGEST_RETRY)
    async with database.across() as tx:
        await tx.run(
            _RETRY_LATER,
            {
                "tenant": claimed.tenant,
                "k": claimed.kind,
                "y": claimed.key,
                "at": now + wait,
                "error": f"{type(error).__name__}: {error}"[:500],
            },
        )
    metrics.TIMERS.labels(database.service, claimed.kind, "failed").inc()
    _log.error("due_work_failed", kind=claimed.kind, attempts=claimed.attempts + 1, exc_info=error)
