"""Writing customer records, their contact keys and their audit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, delete, func, insert, select, update
from sqlalchemy import Uuid as SqlUuid

from crm_customer.parties.domain import Customer, Status
from crm_customer.parties.store import vocabulary
from crm_customer.parties.store.rows import (
    NAME_WORD,
    AuditEntry,
    changes_json,
    keys_of,
    shown_of,
    to_audit_row,
    to_customer,
    to_row,
    words_of,
)
from crm_customer.parties.tables import contact_key, customer, customer_audit
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param

_WRITTEN = [column for column in customer.columns if column.name != "number"]
_KEYS = insert(contact_key).from_select(
    ["tenant_id", "channel", "folded", "customer_id"],
    select(
        bindparam("tenant_id", type_=SqlUuid()),
        func.unnest(bindparam("channels", type_=ARRAY(Text()))),
        func.unnest(bindparam("folded", type_=ARRAY(Text()))),
        bindparam("id", type_=SqlUuid()),
    ),
)
_AUDIT = insert(customer_audit).values(
    tenant_id=bindparam("tenant_id"),
    id=bindparam("audit_id"),
    customer_id=bindparam("id"),
    at=bindparam("at"),
    actor=bindparam("actor"),
    action=bindparam("action"),
    changes=bindparam("changes"),
)
_REGISTER = (
    insert(customer)
    .values({column.name: bindparam(column.name) for column in _WRITTEN})
    .returning(customer.c.number)
    .add_cte(_KEYS.cte("keys"), vocabulary.LEARN.cte("learned"), _AUDIT.cte("audit"))
)
_CHANGE = (
    update(customer)
    .where(customer.c.id == bindparam("id"))
    .values({c.name: bindparam(c.name) for c in _WRITTEN if c.name not in ("tenant_id", "id", "registered_at")})
    .add_cte(_AUDIT.cte("audit"))
)
_DROP_KEYS = (
    delete(contact_key)
    .where(any_param(contact_key.c.customer_id, "ids"))
    .returning(contact_key.c.channel, contact_key.c.folded)
)
_LOCK = select(*shown_of(customer)).where(any_param(customer.c.id, "ids")).order_by(customer.c.id).with_for_update()
_LOCK_IDS = select(customer.c.id).where(any_param(customer.c.id, "ids")).order_by(customer.c.id).with_for_update()
_SET_STATUS = update(customer).where(any_param(customer.c.id, "ids")).values(status=bindparam("status"))
_TOUCH = (
    update(customer)
    .where(customer.c.id == bindparam("i"))
    .values(version=customer.c.version + 1, updated_at=bindparam("now"))
)


async def register(tx: Tx, item: Customer, entry: AuditEntry) -> Customer:
    """Insert a customer with its contact keys and first audit line, in one statement; its number is assigned here."""
    params = to_row(tx.tenant, item) | to_audit_row(entry) | _keys(item) | {"words": words_of(item.profile)}
    return replace(item, number=int(await tx.scalar(_REGISTER, params)))


async def change(tx: Tx, item: Customer, entry: AuditEntry, *, keys_changed: bool) -> None:
    """Replace a customer's row and write the audit line."""
    row = to_row(tx.tenant, item)
    row.pop("registered_at")
    await tx.run(_CHANGE, row | to_audit_row(entry))
    if keys_changed:
        dropped = await tx.all(_DROP_KEYS, {"ids": [item.id]})
        await tx.run(_KEYS, {"tenant_id": tx.tenant, "id": item.id} | _keys(item))
        await vocabulary.learn(tx, words_of(item.profile))
        await _doubt_lost(tx, dropped, [item])


async def _doubt_lost(tx: Tx, dropped: Sequence[Record], kept: Sequence[Customer]) -> None:
    """Have words forgotten that were dropped with others' keys and aren't any of these customers'."""
    before = {row["folded"] for row in dropped if row["channel"] == NAME_WORD}
    after = {word for item in kept for word in words_of(item.profile)}
    await vocabulary.doubt(tx, before - after, now=kept[0].updated_at)


def _keys(item: Customer) -> dict[str, list[str]]:
    keys = keys_of(item.profile)
    return {"channels": [channel for channel, _ in keys], "folded": [folded for _, folded in keys]}


async def register_many(tx: Tx, items: Sequence[Customer], entries: Sequence[AuditEntry]) -> None:
    """Insert many customers by COPY; their numbers are assigned by the database."""
    if not items:
        return
    names = [column.name for column in _WRITTEN]
    rows = [to_row(tx.tenant, item) for item in items]
    await tx.copy(customer, names, [tuple(row[name] for name in names) for row in rows])
    await _copy_keys(tx, items)
    await tx.copy(
        customer_audit,
        ["tenant_id", "id", "customer_id", "at", "actor", "action", "changes"],
        [(tx.tenant, e.id, e.customer_id, e.at, e.actor, e.action, changes_json(e.changes)) for e in entries],
    )


async def change_many(tx: Tx, items: Sequence[Customer], entries: Sequence[AuditEntry]) -> None:
    """Replace many customers' rows, pipelined, and write their audit lines."""
    if not items:
        return
    rows: list[dict[str, Any]] = []
    for item, entry in zip(items, entries, strict=True):
        row = to_row(tx.tenant, item) | to_audit_row(entry)
        row.pop("registered_at")
        rows.append(row)
    await tx.many(_CHANGE, rows)
    dropped = await tx.all(_DROP_KEYS, {"ids": [item.id for item in items]})
    await _copy_keys(tx, items)
    await _doubt_lost(tx, dropped, items)


async def learn_names(tx: Tx, items: Sequence[Customer]) -> None:
    """Keep the words of these customers' names; of all that a transaction writes at once, lest two wait in a circle."""
    await vocabulary.learn(tx, (word for item in items for word in words_of(item.profile)))


async def _copy_keys(tx: Tx, items: Sequence[Customer]) -> None:
    await tx.copy(
        contact_key,
        ["tenant_id", "channel", "folded", "customer_id"],
        [(tx.tenant, channel, folded, item.id) for item in items for channel, folded in keys_of(item.profile)],
    )


async def lock(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Customer]:
    """Customer records, locked in the order of their ids; missing ones are left out."""
    return {row["id"]: to_customer(row) for row in await tx.all(_LOCK, {"ids": list(ids)})}


async def lock_ids(tx: Tx, ids: Sequence[UUID]) -> set[UUID]:
    """Lock customer records in the order of their ids; says which of them exist."""
    return {row["id"] for row in await tx.all(_LOCK_IDS, {"ids": list(ids)})}


async def set_status(tx: Tx, ids: Sequence[UUID], status: Status) -> None:
    """Change whether records stand for themselves; nothing else of them changes, so that it can be undone exactly."""
    await tx.run(_SET_STATUS, {"ids": list(ids), "status": status.value})


async def touch(tx: Tx, customer_id: UUID, *, now: datetime) -> None:
    """Give a record a new version, since what it shows has changed."""
    await tx.run(_TOUCH, {"i": customer_id, "now": now})


async def audit(tx: Tx, entry: AuditEntry) -> None:
    """Write one audit line."""
    await tx.run(_AUDIT, {"tenant_id": tx.tenant, "id": entry.customer_id} | to_audit_row(entry))
