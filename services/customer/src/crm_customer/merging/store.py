"""SQL of merges."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, or_, select, update

from crm_customer.merging.domain import Alias, Merge
from crm_customer.merging.tables import customer_merge
from crm_customer.parties.tables import customer_alias
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_param

m = customer_merge.c
_ADD = insert(customer_merge).values(
    {name.name: bindparam(name.name) for name in customer_merge.columns if not name.name.startswith("undone")}
)
_IN_FORCE = select(m.id, m.survivor_id, m.merged_id, m.merged_at, m.reason).where(
    m.undone_at.is_(None), or_(any_param(m.merged_id, "ids"), any_param(m.survivor_id, "ids"))
)
_UNDO = (
    update(customer_merge).where(m.id == bindparam("i")).values(undone_at=bindparam("at"), undone_by=bindparam("by"))
)
_DROP_ALIASES = delete(customer_alias).where(any_param(customer_alias.c.alias_id, "ids"))
_ALIAS_COLUMNS = ["tenant_id", "alias_id", "customer_id", "merged_at"]


async def add(tx: Tx, merge: Merge, *, actor: str) -> None:
    """Keep a merge."""
    await tx.run(
        _ADD,
        {
            "tenant_id": tx.tenant,
            "id": merge.id,
            "survivor_id": merge.survivor_id,
            "merged_id": merge.merged_id,
            "merged_at": merge.merged_at,
            "reason": merge.reason,
            "actor": actor,
        },
    )


async def undo(tx: Tx, merge_id: UUID, *, actor: str, now: datetime) -> None:
    """Retract a merge."""
    await tx.run(_UNDO, {"i": merge_id, "at": now, "by": actor})


async def in_force_among(tx: Tx, records: Iterable[UUID]) -> list[Merge]:
    """The merges in force between these records; ask for whole families."""
    rows = await tx.all(_IN_FORCE, {"ids": list(records)})
    return [Merge(row["id"], row["survivor_id"], row["merged_id"], row["merged_at"], row["reason"]) for row in rows]


async def set_aliases(tx: Tx, records: Sequence[UUID], found: Iterable[Alias]) -> None:
    """Replace the aliases of these records."""
    await tx.run(_DROP_ALIASES, {"ids": list(records)})
    await tx.copy(customer_alias, _ALIAS_COLUMNS, [(tx.tenant, a.alias_id, a.customer_id, a.merged_at) for a in found])
