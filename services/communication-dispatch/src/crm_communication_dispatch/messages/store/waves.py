"""Whole waves at once: claiming, marking, settling; and the lane that keeps senders apart."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    case,
    column,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import TypeEngine

from crm_communication_dispatch.messages.domain import Message, Settled, Status
from crm_communication_dispatch.messages.store.ledger import COLUMNS, read
from crm_communication_dispatch.messages.tables import attempt, lane, message
from crm_communication_dispatch.providers.domain import Answer
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_of, any_param

_m = message
_AT = DateTime(timezone=True)
_DUE = or_(_m.c.status == Status.QUEUED.value, _m.c.status == Status.HELD.value)


def _rows(name: str, **types: TypeEngine[Any]) -> Any:
    """The rows of `unnest`ed array parameters, one per column."""
    arrays = [bindparam(key, type_=ARRAY(kind)) for key, kind in types.items()]
    columns = [column(key, kind) for key, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name=name).render_derived(name=name)


def _claim(*, bulk: bool) -> Any:
    # Nothing is locked: the lane has one sender, and whatever is written later asks whether the message still waits.
    return (
        select(*COLUMNS)
        .where(
            _m.c.channel == bindparam("channel", type_=Text()),
            _DUE,
            _m.c.due_at <= bindparam("now", type_=_AT),
            _m.c.campaign_id.is_not(None) if bulk else _m.c.campaign_id.is_(None),
        )
        .order_by(_m.c.due_at)
        .limit(bindparam("n"))
    )


_CLAIM_SINGLE, _CLAIM_BULK = _claim(bulk=False), _claim(bulk=True)
_decided = _rows(
    "decided", d_id=Uuid(), d_status=Text(), d_reason=Text(), d_due=_AT, d_ended=_AT, d_consent=Uuid(), d_why=JSONB()
)
_DECIDE = (
    update(_m)
    .where(_m.c.id == _decided.c.d_id, _DUE)
    .values(
        status=_decided.c.d_status,
        reason=_decided.c.d_reason,
        due_at=_decided.c.d_due,
        ended_at=_decided.c.d_ended,
        consent_id=_decided.c.d_consent,
        explanation=_decided.c.d_why,
        version=_m.c.version + 1,
    )
    .returning(_m.c.id)
)
_ready = _rows(
    "ready", r_id=Uuid(), r_language=Text(), r_address=Text(), r_subject=Text(), r_consent=Uuid(), r_why=JSONB()
)
_MARK = (
    update(_m)
    .where(_m.c.id == _ready.c.r_id, _DUE)
    .values(
        status=Status.ATTEMPTING.value,
        reason=None,
        attempts=_m.c.attempts + 1,
        language=_ready.c.r_language,
        address=_ready.c.r_address,
        subject=_ready.c.r_subject,
        consent_id=_ready.c.r_consent,
        explanation=_ready.c.r_why,
        version=_m.c.version + 1,
    )
    .returning(_m.c.id)
)
_settled = _rows("settled", s_id=Uuid(), s_status=Text(), s_reason=Text(), s_due=_AT)
_IN_HAND = (Status.ATTEMPTING.value, Status.QUEUED.value, Status.HELD.value)
_WENT_OUT = (Status.ACCEPTED.value, Status.UNKNOWN.value)
_SETTLE = (
    update(_m)
    .where(_m.c.id == _settled.c.s_id, any_of(_m.c.status, _IN_HAND))
    .values(
        status=_settled.c.s_status,
        reason=_settled.c.s_reason,
        due_at=_settled.c.s_due,
        sent_at=case((any_of(_settled.c.s_status, _WENT_OUT), bindparam("at", type_=_AT)), else_=_m.c.sent_at),
        ended_at=case((_settled.c.s_status == Status.QUEUED.value, None), else_=bindparam("at", type_=_AT)),
        version=_m.c.version + 1,
    )
)
_tried = _rows(
    "tried", t_id=Uuid(), t_outcome=Text(), t_fault=Text(), t_code=SmallInteger(), t_enhanced=Text(), t_text=Text()
)
_ATTEMPT = insert(attempt).from_select(
    ["tenant_id", "message_id", "number", "started_at", "outcome", "fault", "code", "enhanced", "text"],
    select(
        _m.c.tenant_id, _m.c.id, _m.c.attempts, bindparam("at", type_=_AT), _tried.c.t_outcome, _tried.c.t_fault,
        _tried.c.t_code, _tried.c.t_enhanced, _tried.c.t_text,
    ).where(_m.c.id == _tried.c.t_id),
)  # fmt: skip
_CRASHED = (
    update(_m)
    .where(_m.c.channel == bindparam("channel", type_=Text()), _m.c.status == Status.ATTEMPTING.value)
    .values(
        status=case((any_param(_m.c.purpose, "retried"), Status.QUEUED.value), else_=Status.UNKNOWN.value),
        reason=literal("sender_crashed", Text()),
        due_at=case((any_param(_m.c.purpose, "retried"), bindparam("at", type_=_AT)), else_=None),
        sent_at=bindparam("at", type_=_AT),
        ended_at=case((any_param(_m.c.purpose, "retried"), None), else_=bindparam("at", type_=_AT)),
        version=_m.c.version + 1,
    )
    .returning(_m.c.id)
)
_NEXT_DUE = select(func.min(_m.c.due_at)).where(_m.c.channel == bindparam("channel", type_=Text()), _DUE)
_take = upsert(lane).values({name: bindparam(name) for name in ("tenant_id", "channel", "owner", "lease_until")})
_TAKE = _take.on_conflict_do_update(
    index_elements=[lane.c.tenant_id, lane.c.channel],
    set_={"owner": _take.excluded.owner, "lease_until": _take.excluded.lease_until},
    where=or_(lane.c.lease_until <= bindparam("now", type_=_AT), lane.c.owner == _take.excluded.owner),
).returning(lane.c.owner)
_RENEW = (
    update(lane)
    .where(lane.c.channel == bindparam("ch", type_=Text()), lane.c.owner == bindparam("me", type_=Uuid()))
    .values(lease_until=bindparam("until", type_=_AT))
)
_FREE = delete(lane).where(
    lane.c.channel == bindparam("ch", type_=Text()), lane.c.owner == bindparam("me", type_=Uuid())
)
_LANE = select(lane.c.owner, lane.c.lease_until).where(lane.c.channel == bindparam("ch", type_=Text()))


@dataclass(frozen=True, slots=True)
class Decided:
    """A message that doesn't go now: held, suppressed or expired, and why."""

    message_id: UUID
    status: Status
    reason: str | None
    due_at: datetime | None
    consent_id: UUID | None
    explanation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """A message about to be tried, as it was rendered."""

    message_id: UUID
    language: str
    address: str
    subject: str | None
    consent_id: UUID | None
    explanation: Mapping[str, Any]


async def claim(tx: Tx, channel: str, *, at_most: int, bulk: bool, now: datetime) -> list[Message]:
    """Due messages of a channel, those of no campaign first; with `bulk` campaigns' too."""
    params = {"channel": channel, "now": now, "n": at_most}
    rows = await tx.all(_CLAIM_SINGLE, params)
    if bulk and len(rows) < at_most:
        rows += await tx.all(_CLAIM_BULK, {**params, "n": at_most - len(rows)})
    return [read(row) for row in rows]


async def save_decisions(tx: Tx, decisions: Sequence[Decided], *, now: datetime) -> set[UUID]:
    """Write why these don't go now; gives the ids that were still waiting."""
    params = {
        "d_id": [d.message_id for d in decisions],
        "d_status": [d.status.value for d in decisions],
        "d_reason": [d.reason for d in decisions],
        "d_due": [d.due_at for d in decisions],
        "d_ended": [None if d.status is Status.HELD else now for d in decisions],
        "d_consent": [d.consent_id for d in decisions],
        "d_why": [dict(d.explanation) for d in decisions],
    }
    return {row["id"] for row in await tx.all(_DECIDE, params)}


async def mark_attempting(tx: Tx, ready: Sequence[Ready]) -> set[UUID]:
    """Say that these are about to be tried; gives the ids that nobody took back meanwhile."""
    params = {
        "r_id": [r.message_id for r in ready],
        "r_language": [r.language for r in ready],
        "r_address": [r.address for r in ready],
        "r_subject": [r.subject for r in ready],
        "r_consent": [r.consent_id for r in ready],
        "r_why": [dict(r.explanation) for r in ready],
    }
    return {row["id"] for row in await tx.all(_MARK, params)}


async def settle(tx: Tx, settled: Mapping[UUID, Settled], *, now: datetime) -> None:
    """Write what became of messages."""
    params = {
        "s_id": list(settled),
        "s_status": [str(s.status) for s in settled.values()],  # .value runs Python code each time
        "s_reason": [s.reason for s in settled.values()],
        "s_due": [s.due_at for s in settled.values()],
        "at": now,
    }
    await tx.run(_SETTLE, params)


async def add_attempts(tx: Tx, answers: Sequence[Answer], *, now: datetime) -> None:
    """Keep each try and its answer."""
    replies = [answer.reply for answer in answers]
    params = {
        "t_id": [answer.message_id for answer in answers],
        "t_outcome": [str(answer.outcome) for answer in answers],
        "t_fault": [str(answer.fault) for answer in answers],
        "t_code": [reply.code if reply else None for reply in replies],
        "t_enhanced": [reply.enhanced if reply else None for reply in replies],
        "t_text": [reply.text if reply else None for reply in replies],
        "at": now,
    }
    await tx.run(_ATTEMPT, params)


async def settle_crashed(tx: Tx, channel: str, retried: Collection[str], *, now: datetime) -> list[UUID]:
    """Messages whose attempt nobody saw the end of: some purposes are tried again, others stay unknown."""
    rows = await tx.all(_CRASHED, {"channel": channel, "retried": list(retried), "at": now})
    return [row["id"] for row in rows]


async def next_due(tx: Tx, channel: str) -> datetime | None:
    """When the next waiting message of a channel is due."""
    return await tx.scalar(_NEXT_DUE, {"channel": channel})


async def take_lane(tx: Tx, channel: str, owner: UUID, *, now: datetime, until: datetime) -> bool:
    """Become the channel's only sender until the lease runs out; false while another one is."""
    params = {"tenant_id": tx.tenant, "channel": channel, "owner": owner, "lease_until": until, "now": now}
    return await tx.scalar(_TAKE, params) is not None


async def renew_lane(tx: Tx, channel: str, owner: UUID, *, until: datetime) -> bool:
    """Stay the only sender; false when another one has taken over."""
    return await tx.run(_RENEW, {"ch": channel, "me": owner, "until": until}) == 1


async def free_lane(tx: Tx, channel: str, owner: UUID) -> None:
    """Stop being the sender."""
    await tx.run(_FREE, {"ch": channel, "me": owner})


async def get_lane(tx: Tx, channel: str) -> tuple[UUID, datetime] | None:
    """Who sends on a channel, and until when."""
    row = await tx.one(_LANE, {"ch": channel})
    return (row["owner"], row["lease_until"]) if row else None
