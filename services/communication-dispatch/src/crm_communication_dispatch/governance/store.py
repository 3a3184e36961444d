"""Every statement on policies and suppressions."""

from collections.abc import Collection, Mapping
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, insert, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_communication_dispatch.governance.domain import (
    Cap,
    Policy,
    QuietHours,
    Suppression,
    SuppressionReason,
    Window,
)
from crm_communication_dispatch.governance.tables import policy, suppression
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param

_s = suppression
_COLUMNS = tuple(_s.c[name] for name in Suppression.__dataclass_fields__)
_POLICY = select(policy.c.rules, policy.c.version)
_LOCK_POLICY = _POLICY.with_for_update()
_save = upsert(policy).values(
    {name: bindparam(name) for name in ("tenant_id", "rules", "version", "updated_by", "updated_at")}
)
_SAVE_POLICY = _save.on_conflict_do_update(
    index_elements=[policy.c.tenant_id],
    set_={name: _save.excluded[name] for name in ("rules", "version", "updated_by", "updated_at")},
    where=policy.c.version == _save.excluded.version - 1,
)
_GET = select(*_COLUMNS).where(_s.c.id == bindparam("id", type_=Uuid()))
_LOCK = _GET.with_for_update()
_FOR = select(*_COLUMNS).where(
    _s.c.channel == bindparam("channel", type_=Text()),
    _s.c.released_at.is_(None),
    or_(any_param(_s.c.customer_id, "ids"), any_param(_s.c.address, "addresses")),
)
_SAME = select(*_COLUMNS).where(
    _s.c.channel == bindparam("channel", type_=Text()),
    _s.c.released_at.is_(None),
    _s.c.reason == bindparam("reason", type_=Text()),
    _s.c.customer_id.is_not_distinct_from(bindparam("customer", type_=Uuid())),
    _s.c.address.is_not_distinct_from(bindparam("address", type_=Text())),
    _s.c.purpose.is_not_distinct_from(bindparam("purpose", type_=Text())),
)


def rules_row(of: Policy) -> dict[str, Any]:
    """A policy as it is stored."""
    return {
        "caps": [
            {"limit": c.limit, "window": c.window.value, "channel": c.channel, "purposes": sorted(c.purposes)}
            for c in of.caps
        ],
        "quiet_hours": {
            channel: [hours.start.isoformat(), hours.end.isoformat()] for channel, hours in of.quiet_hours.items()
        },
        "consent_free": sorted(of.consent_free),
        "urgent": sorted(of.urgent),
        "time_zone": of.time_zone,
        "retry_unknown": sorted(of.retry_unknown),
    }


def _policy(rules: Mapping[str, Any], version: int) -> Policy:
    return Policy(
        caps=tuple(Cap(c["limit"], Window(c["window"]), c["channel"], frozenset(c["purposes"])) for c in rules["caps"]),
        quiet_hours={
            channel: QuietHours(time.fromisoformat(start), time.fromisoformat(end))
            for channel, (start, end) in rules["quiet_hours"].items()
        },
        consent_free=frozenset(rules["consent_free"]),
        urgent=frozenset(rules["urgent"]),
        time_zone=rules["time_zone"],
        retry_unknown=frozenset(rules["retry_unknown"]),
        version=version,
    )


async def get_policy(tx: Tx, *, locked: bool = False) -> Policy:
    """The tenant's policy; the built-in one, as version 0, until it sets its own."""
    row = await tx.one(_LOCK_POLICY if locked else _POLICY, {})
    return _policy(row["rules"], row["version"]) if row else Policy()


async def save_policy(tx: Tx, of: Policy, *, by: str, now: datetime) -> bool:
    """Write the tenant's policy; says whether nobody else has made this version meanwhile."""
    fields = {"rules": rules_row(of), "version": of.version, "updated_by": by, "updated_at": now}
    return await tx.run(_SAVE_POLICY, {"tenant_id": tx.tenant, **fields}) > 0


def _read(row: Record) -> Suppression:
    fields: dict[str, Any] = dict(row)
    fields["reason"] = SuppressionReason(fields["reason"])
    return Suppression(**fields)


async def suppressions_for(
    tx: Tx, *, channel: str, customers: Collection[UUID], addresses: Collection[str]
) -> list[Suppression]:
    """Unreleased suppressions of these customers or folded addresses."""
    params = {"channel": channel, "ids": list(customers), "addresses": list(addresses)}
    return [_read(row) for row in await tx.all(_FOR, params)]


async def same(tx: Tx, of: Suppression) -> Suppression | None:
    """An unreleased suppression that says what `of` says."""
    params = {
        "channel": of.channel,
        "reason": of.reason.value,
        "customer": of.customer_id,
        "address": of.address,
        "purpose": of.purpose,
    }
    row = await tx.one(_SAME, params)
    return _read(row) if row else None


async def get(tx: Tx, suppression_id: UUID) -> Suppression | None:
    """One suppression."""
    row = await tx.one(_GET, {"id": suppression_id})
    return _read(row) if row else None


async def lock(tx: Tx, suppression_id: UUID) -> Suppression | None:
    """One suppression, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": suppression_id})
    return _read(row) if row else None


async def add(tx: Tx, of: Suppression) -> None:
    """Write a new suppression."""
    fields = {name: getattr(of, name) for name in Suppression.__dataclass_fields__}
    await tx.run(insert(_s).values(tenant_id=tx.tenant, **{**fields, "reason": of.reason.value}))


async def release(tx: Tx, suppression_id: UUID, *, by: str, reason: str, now: datetime) -> Suppression:
    """Note that a suppression no longer holds, who said so and why."""
    row = await tx.one(
        update(_s)
        .where(_s.c.id == suppression_id)
        .values(released_at=now, released_by=by, release_reason=reason, version=_s.c.version + 1)
        .returning(*_COLUMNS)
    )
    assert row is not None
    return _read(row)


async def list_suppressions(
    tx: Tx, where: Mapping[str, Any], *, active: bool | None, limit: int, after: tuple[Any, ...] | None
) -> list[Suppression]:
    """Suppressions, oldest first; `where` maps columns to values."""
    statement = select(*_COLUMNS).order_by(_s.c.created_at, _s.c.id).limit(limit)
    for name, value in where.items():
        if value is not None:
            statement = statement.where(_s.c[name] == value)
    if active is not None:
        statement = statement.where(_s.c.released_at.is_(None) if active else _s.c.released_at.is_not(None))
    if after is not None:
        statement = statement.where(tuple_(_s.c.created_at, _s.c.id) > after)
    return [_read(row) for row in await tx.all(statement)]
