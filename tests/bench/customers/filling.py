"""Many customers, made in SQL: the rows that registering them one by one would have left, in a minute for a million."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

GIVEN = """
    Ada Adrian Agnes Albert Alma Amir Andrea Anna Anton Astrid Bela Bernd Birgit Boris Bruno Carla Cesar Chiara
    Clara Conrad Dagmar Daniel Daria David Diego Dora Edgar Elena Elias Elsa Emil Emma Erik Esther Eva Fabio
    Fatima Felix Finn Flora Frank Frida Georg Gesine Greta Gustav Hanna Hugo Ida Igor Ines Ingrid Ivan Jana Jasper
    Jonas Judith Julia Karim Karin Katja Klaus Lara Laura Lena Leon Linda Linus Lotte Lukas Maja Malik Marco Maria
    Marta Martin Mila Mira Moritz Nadia Nico Nina Noah Nora Olga Oscar Otto Paula Petra Pia Rafael Robin Rosa Ruth
    Samuel Sara Sofia Tamar Theo Tilda Tom Ursula Vera Viktor Wanda Yara Zoe
""".split()  # noqa: SIM905 # a hundred lines of one word each say no more
_STEMS = """
    Acker Berg Birken Brunn Dorf Eichen Feld Fichten Gruen Hain Holz Kirch Lauter Linden Moor Ober Rosen Sand
    Stein Tal Tannen Unter Wald Weiden Winter
""".split()  # noqa: SIM905 # a hundred lines of one word each say no more
_ENDS = """
    acher aumer becker brand egger felder grube hauser hofer kamp leitner mann meier mueller ner rath reiter roth
    schmidt wieser
""".split()  # noqa: SIM905 # a hundred lines of one word each say no more
FAMILY = [stem + end for stem in _STEMS for end in _ENDS]
"""500 of them, so that one is borne by 0.2 % of all."""
COUNTRIES = ("DE", "FR", "IT", "ES", "AT", "CH", "NL", "PL")
LANGUAGES = ("de", "fr", "it", "es", "nl", "pl")
OWNERS = 400
SOURCES = ("webshop", "fair", "referral", "telephone", "partner")

_CUSTOMERS = """
INSERT INTO customer (tenant_id, id, version, status, kind, category, display_name, given_name, family_name, language,
    time_zone, country, birth_date, owner, source, attributes, contact_points, completeness, name_folded, search_text,
    registered_at, updated_at)
SELECT $1, uuidv7(), 1, 'active', 'person', category, given || ' ' || family, given, family, language,
    'Europe/Berlin', country, date '1950-01-01' + n * 7 % 20000, 'usr_' || n % $6::int, source, '{}',
    jsonb_build_array(
        jsonb_build_object('channel', 'email', 'value', email, 'folded', email, 'preferred', true, 'verified', false,
                           'valid_from', null, 'valid_until', null),
        jsonb_build_object('channel', 'phone', 'value', phone, 'folded', phone, 'preferred', false, 'verified', false,
                           'valid_from', null, 'valid_until', null)),
    90, lower(given || ' ' || family), concat_ws(' ', lower(given || ' ' || family), email, phone), now(), now()
FROM (
    SELECT n, ($2::text[])[1 + n * 7 % cardinality($2::text[])] AS given,
        ($3::text[])[1 + (hashint4(n) & 2147483647) % cardinality($3::text[])] AS family,
        'someone.' || n || '@mail' || n % 50 || '.example' AS email, '+49301' || lpad(n::text, 8, '0') AS phone,
        ($4::text[])[1 + n % cardinality($4::text[])] AS country,
        ($5::text[])[1 + n % cardinality($5::text[])] AS language,
        ($7::text[])[1 + n % cardinality($7::text[])] AS source,
        (ARRAY['consumer', 'consumer', 'business', 'intermediary', 'public_interest'])[1 + n % 5] AS category
    FROM generate_series(1::int, $8::int) AS n
) AS people
"""
_KEYS = """
INSERT INTO contact_key (tenant_id, channel, folded, customer_id)
SELECT tenant_id, point->>'channel', point->>'folded', id
FROM customer, jsonb_array_elements(contact_points) AS point WHERE tenant_id = $1
UNION ALL
SELECT tenant_id, 'name', word, id FROM customer, string_to_table(name_folded, ' ') AS word WHERE tenant_id = $1
"""
_WORDS = """
INSERT INTO name_word (tenant_id, word) SELECT DISTINCT tenant_id, folded FROM contact_key
WHERE tenant_id = $1 AND channel = 'name'
"""
_SECONDARY = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index
WHERE indrelid IN ('customer'::regclass, 'contact_key'::regclass) AND NOT indisprimary
"""


async def fill(admin_url: str, tenant: UUID, count: int) -> None:
    """Make `count` customers; indexes are put aside meanwhile and made whole at the end."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        indexes = await connection.fetch(_SECONDARY)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        await connection.execute(
            _CUSTOMERS, tenant, GIVEN, FAMILY, list(COUNTRIES), list(LANGUAGES), OWNERS, list(SOURCES), count
        )
        await connection.execute(_KEYS, tenant)
        await connection.execute(_WORDS, tenant)
        for index in indexes:
            await connection.execute(index["made"])
        await connection.execute("VACUUM (ANALYZE) customer, contact_key, name_word")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def some_ids(admin_url: str, tenant: UUID, count: int) -> Sequence[UUID]:
    """Ids from all over the table, in no order."""
    connection = await asyncpg.connect(admin_url)
    try:
        rows = await connection.fetch(
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY hashtext(id::text)) AS nth FROM customer "
            "WHERE tenant_id = $1) AS mixed WHERE nth <= $2 ORDER BY nth",
            tenant,
            count,
        )
    finally:
        await connection.close()
    return [row["id"] for row in rows]
