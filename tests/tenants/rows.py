"""What lies in the databases, seen by the administrator, to whom no wall applies."""

import re
from base64 import b32hexencode
from uuid import UUID

import asyncpg
from tests.tenants.stage import Stage

_TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
    "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TAIL = re.compile(rb"(?<![0-9a-z])[0-9a-v]{26}(?![0-9a-z])")
Rows = dict[str, list[str]]
"""Rows as text, by `service.table`."""


async def rows_of(stage: Stage, tenant: UUID) -> Rows:
    """All rows of a tenant in all databases."""
    found: Rows = {}
    for service, urls in stage.databases.items():
        connection = await asyncpg.connect(urls.admin)
        try:
            tables = [name for (name,) in await connection.fetch(_TABLES)]
            found |= {f"{service}.{table}": [] for table in tables}
            every = " UNION ALL ".join(
                f"SELECT '{table}', t::text FROM \"{table}\" t WHERE tenant_id = $1" for table in tables
            )
            for table, row in await connection.fetch(f"{every} ORDER BY 1, 2", tenant):
                found[f"{service}.{table}"].append(row)
        finally:
            await connection.close()
    return found


def changed(before: Rows, after: Rows) -> dict[str, list[str]]:
    """The rows that came or went, by table."""
    return {
        table: sorted(set(before[table]) ^ set(after[table]))[:4] for table in before if before[table] != after[table]
    }


def tails_of(rows: Rows) -> frozenset[bytes]:
    """The second half of every public id that these rows could show."""
    uuids = {UUID(text) for lines in rows.values() for line in lines for text in _UUID.findall(line)}
    return frozenset(b32hexencode(one.bytes).rstrip(b"=").lower() for one in uuids)


def tails_in(text: bytes) -> frozenset[bytes]:
    """The second half of every public id in a text."""
    return frozenset(_TAIL.findall(text))
