"""Drawing the next number; drawing locks the series until the transaction ends, which is what leaves no gaps."""

from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.numbering.tables import number_series
from crm_shared.db.pool import Tx

_insert = insert(number_series).values(
    tenant_id=bindparam("tenant_id"), kind=bindparam("kind"), year=bindparam("year"), last=1
)
_NEXT = _insert.on_conflict_do_update(
    index_elements=[number_series.c.tenant_id, number_series.c.kind, number_series.c.year],
    set_={"last": number_series.c.last + 1},
).returning(number_series.c.last)


async def next_number(tx: Tx, kind: str, *, now: datetime) -> str:
    """The next number of a kind in this year, such as `Q-2026-000017`. Draw it last: others wait from here on."""
    last = await tx.scalar(_NEXT, {"tenant_id": tx.tenant, "kind": kind, "year": now.year})
    return f"{kind}-{now.year}-{last:06d}"
