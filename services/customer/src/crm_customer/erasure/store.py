"""SQL of forgetting: every column that names a person, in every table of this service."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Column, Table, delete, func, or_, select

from crm_customer.metadata import metadata
from crm_customer.parties.tables import customer
from crm_customer.segments.tables import segment_member
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_of

PERSON_COLUMNS = frozenset({"customer_id", "owner_id", "alias_id", "survivor_id", "merged_id"})
"""What columns that name a person are called here; a test sees to it that a new table keeps to it."""


def naming_persons(table: Table) -> list[Column[UUID]]:
    """The columns of a table that name a person."""
    return [column for column in table.columns if column.name in PERSON_COLUMNS or column is customer.c.id]


async def memberships(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many of these are members of which segments."""
    m = segment_member.c
    statement = select(m.segment_id, func.count().label("n")).where(any_of(m.customer_id, list(ids)))
    return {row["segment_id"]: row["n"] for row in await tx.all(statement.group_by(m.segment_id))}


async def forget(tx: Tx, ids: Sequence[UUID]) -> int:
    """Delete every row that names one of these persons; says how many."""
    removed = 0
    for table in metadata.sorted_tables:
        columns = naming_persons(table)
        if columns:
            removed += await tx.run(delete(table).where(or_(*(any_of(column, list(ids)) for column in columns))))
    return removed
