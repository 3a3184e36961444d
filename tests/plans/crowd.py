"""Many rows of everything: each row that a tenant has, some thousand times, under fresh ids."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import asyncpg

from crm_shared.ids import new_id
from crm_shared.testing.cluster import Databases

COPIES = 1_000
_COLUMNS = """
SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, null) AS type,
    EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS is_key
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
    AND EXISTS (SELECT 1 FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
ORDER BY 1, a.attnum
"""


async def multiply(databases: Iterable[Databases], tenant: UUID) -> frozenset[str]:
    """Copy the tenant's rows, for itself and for a neighbour of the same size; gives the tables that are large now."""
    neighbour = new_id()
    made = await asyncio.gather(*(_multiply(urls.admin, tenant, neighbour) for urls in databases))
    return frozenset().union(*made)


async def _multiply(admin_url: str, tenant: UUID, neighbour: UUID) -> set[str]:
    connection = await asyncpg.connect(admin_url)
    try:
        columns = await connection.fetch(_COLUMNS)
        # Copies refer to nothing that is there; triggers of foreign keys rest for this connection.
        await connection.execute("SET session_replication_role = replica")
        for table in {row["table"]: None for row in columns}:
            values = {
                row["column"]: _value(row["column"], row["type"], is_key=row["is_key"])
                for row in columns
                if row["table"] == table
            }
            names = ", ".join(f'"{name}"' for name in values)
            await connection.execute(
                f'INSERT INTO "{table}" ({names}) SELECT {", ".join(values.values())} '
                f'FROM (SELECT * FROM "{table}" WHERE tenant_id = $1 LIMIT 3) AS r, generate_series(1, $3::int) AS n '
                "ON CONFLICT DO NOTHING",
                tenant,
                neighbour,
                COPIES,
            )
        # As autovacuum would: until then a GIN index keeps the new rows in a list that is read from end to end.
        await connection.execute("VACUUM (ANALYZE)")
        large = await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= $1", COPIES)
        return {row["relname"] for row in large}
    finally:
        await connection.close()


def _value(name: str, kind: str, *, is_key: bool) -> str:
    """A column's value in the nth copy `n` of the row `r`."""
    column = f'r."{name}"'
    if name == "tenant_id":
        return "CASE WHEN n % 2 = 0 THEN $1::uuid ELSE $2::uuid END"
    always = {
        "uuid": f"CASE WHEN {column} IS NULL THEN NULL ELSE gen_random_uuid() END",
        "timestamp with time zone": f"{column} - n * interval '1 minute'",
    }
    for_keys = {"text": f"{column} || '-' || n", "date": f"{column} - n"}
    for_keys |= dict.fromkeys(("integer", "bigint"), f"{column} + n")
    return (always | for_keys if is_key else always).get(kind, column)
