"""Messages one by one, and lists of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Text, Uuid, bindparam, case, func, insert, select, tuple_, update

from crm_communication_dispatch.governance.domain import Sent
from crm_communication_dispatch.messages.domain import Attempt, Message, Receipt, Status
from crm_communication_dispatch.messages.tables import attempt, message, receipt
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param

_m = message
COLUMNS = tuple(_m.c[name] for name in Message.__dataclass_fields__)
_GET = select(*COLUMNS).where(_m.c.id == bindparam("id", type_=Uuid()))
_LOCK = _GET.with_for_update()
_BY_COUPON = select(*COLUMNS).where(_m.c.coupon == bindparam("coupon", type_=Text()))
_ATTEMPTS = (
    select(*(attempt.c[name] for name in Attempt.__dataclass_fields__))
    .where(attempt.c.message_id == bindparam("id", type_=Uuid()))
    .order_by(attempt.c.number)
)
_RECEIPTS = (
    select(*(receipt.c[name] for name in Receipt.__dataclass_fields__))
    .where(receipt.c.message_id == bindparam("id", type_=Uuid()))
    .order_by(receipt.c.id)
)
_SENT = select(_m.c.customer_id, _m.c.sent_at, _m.c.channel, _m.c.purpose).where(
    any_param(_m.c.customer_id, "ids"), _m.c.sent_at > bindparam("since", type_=DateTime(timezone=True))
)
_WAITING = (Status.PLANNED.value, Status.HELD.value, Status.QUEUED.value)
_REDACT = (
    update(_m)
    .where(any_param(_m.c.customer_id, "ids"))
    .values(
        address=None,
        subject=None,
        variables={},
        status=case((any_of(_m.c.status, _WAITING), Status.SUPPRESSED.value), else_=_m.c.status),
        reason=case((any_of(_m.c.status, _WAITING), "customer_erased"), else_=_m.c.reason),
        due_at=None,
        ended_at=func.coalesce(_m.c.ended_at, bindparam("at", type_=DateTime(timezone=True))),
    )
)


def read(row: Record) -> Message:
    """A message from its row."""
    fields: dict[str, Any] = dict(row)
    fields["status"] = Status(fields["status"])
    return Message(**fields)


async def get(tx: Tx, message_id: UUID) -> Message | None:
    """One message."""
    row = await tx.one(_GET, {"id": message_id})
    return read(row) if row else None


async def lock(tx: Tx, message_id: UUID) -> Message | None:
    """One message, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": message_id})
    return read(row) if row else None


async def by_coupon(tx: Tx, coupon: str) -> Message | None:
    """The message that brought this coupon code."""
    row = await tx.one(_BY_COUPON, {"coupon": coupon})
    return read(row) if row else None


async def add(tx: Tx, of: Message) -> None:
    """Write a new message."""
    fields = {name: getattr(of, name) for name in Message.__dataclass_fields__}
    await tx.run(insert(_m).values(tenant_id=tx.tenant, **{**fields, "status": of.status.value}))


async def change(tx: Tx, message_id: UUID, **values: Any) -> Message:
    """Change columns of a message, and its version."""
    row = await tx.one(
        update(_m).where(_m.c.id == message_id).values(version=_m.c.version + 1, **values).returning(*COLUMNS)
    )
    assert row is not None
    return read(row)


async def list_messages(
    tx: Tx, where: Mapping[str, Any], *, limit: int, after: tuple[Any, ...] | None
) -> list[Message]:
    """Messages, newest first; `where` maps columns to values."""
    statement = select(*COLUMNS).order_by(_m.c.planned_at.desc(), _m.c.id.desc()).limit(limit)
    for name, value in where.items():
        if value is not None:
            statement = statement.where(_m.c[name] == value)
    if after is not None:
        statement = statement.where(tuple_(_m.c.planned_at, _m.c.id) < after)
    return [read(row) for row in await tx.all(statement)]


async def attempts_of(tx: Tx, message_id: UUID) -> list[Attempt]:
    """All tries at a message, first to last."""
    return [Attempt(**dict(row)) for row in await tx.all(_ATTEMPTS, {"id": message_id})]


async def receipts_of(tx: Tx, message_id: UUID) -> list[Receipt]:
    """All that was said of a message, first to last."""
    return [Receipt(**dict(row)) for row in await tx.all(_RECEIPTS, {"id": message_id})]


async def add_receipt(tx: Tx, of: Receipt) -> None:
    """Keep what was said of a message."""
    fields = {name: getattr(of, name) for name in Receipt.__dataclass_fields__}
    await tx.run(insert(receipt).values(tenant_id=tx.tenant, **fields))


async def sent_to(tx: Tx, customers: Collection[UUID], *, since: datetime) -> dict[UUID, list[Sent]]:
    """What went to these customers since then."""
    result: dict[UUID, list[Sent]] = {}
    for row in await tx.all(_SENT, {"ids": list(customers), "since": since}):
        result.setdefault(row["customer_id"], []).append(Sent(row["sent_at"], row["channel"], row["purpose"]))
    return result


async def redact(tx: Tx, customers: Sequence[UUID], *, now: datetime) -> int:
    """Take what is personal out of these customers' messages, and stop those that wait."""
    return await tx.run(_REDACT, {"ids": list(customers), "at": now})
