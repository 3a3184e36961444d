"""The PostgreSQL log's own schema: an append-only log, and apart from it what groups remember.

`head` has one row per partition. An append locks the heads it needs in one order (so two appends never deadlock),
numbers its records from them and holds the locks until it commits: offsets follow commit order, and a reader that has
seen offset n will never find a smaller one later. Timestamps never run backwards within a partition, whatever the
clock does, so that replay and retention by time can search by offset.

`lease` is one row per group and partition: the durable offset, the member that owns it, and a generation that grows
with every change of owner; what an old owner acknowledges is refused by it. A member is alive as long as it beats and
its connection holds an advisory lock: PostgreSQL drops the lock the moment a killed process's socket closes.
"""

from typing import Any

CHANNEL = "crm_bus"
_DDL_LOCK = 7_260_117

_TABLES = """
CREATE SCHEMA IF NOT EXISTS bus;
CREATE TABLE IF NOT EXISTS bus.topic (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    partitions smallint NOT NULL
);
CREATE TABLE IF NOT EXISTS bus.head (
    topic_id integer NOT NULL REFERENCES bus.topic (id),
    part smallint NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    last_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (topic_id, part)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE TABLE IF NOT EXISTS bus.record (
    topic_id integer NOT NULL,
    part smallint NOT NULL,
    off bigint NOT NULL,
    at timestamptz NOT NULL,
    key text NOT NULL,
    headers text NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (topic_id, part, off)
);
CREATE TABLE IF NOT EXISTS bus.consumer_group (
    name text COLLATE "C" PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS bus.member (
    group_name text COLLATE "C" NOT NULL REFERENCES bus.consumer_group (name),
    id uuid NOT NULL,
    alive_key bigint NOT NULL,
    topics text[] NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (group_name, id)
);
CREATE TABLE IF NOT EXISTS bus.lease (
    group_name text COLLATE "C" NOT NULL REFERENCES bus.consumer_group (name),
    topic_id integer NOT NULL REFERENCES bus.topic (id),
    part smallint NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    member uuid,
    generation bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (group_name, topic_id, part)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
"""

_APPEND = """
CREATE OR REPLACE FUNCTION bus.append(topics integer[], parts smallint[], keys text[], headers text[], vals bytea[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE appended bigint;
BEGIN
    PERFORM 1 FROM bus.head h
        WHERE (h.topic_id, h.part) IN (SELECT DISTINCT * FROM unnest(topics, parts))
        ORDER BY h.topic_id, h.part FOR UPDATE;
    -- A new statement, hence a new snapshot: it sees the heads as the last owner of these locks left them.
    WITH incoming AS (
        SELECT *, row_number() OVER (PARTITION BY t, p ORDER BY nth) - 1 AS behind
        FROM unnest(topics, parts, keys, headers, vals) WITH ORDINALITY AS u(t, p, k, hd, v, nth)
    ), counted AS (
        SELECT t, p, count(*) AS n FROM incoming GROUP BY t, p
    ), bumped AS (
        UPDATE bus.head h
        SET next_offset = h.next_offset + n, last_at = greatest(h.last_at, clock_timestamp())
        FROM counted WHERE h.topic_id = t AND h.part = p
        RETURNING h.topic_id, h.part, h.next_offset - n AS base, h.last_at
    )
    INSERT INTO bus.record (topic_id, part, off, at, key, headers, value)
        SELECT t, p, base + behind, last_at, k, hd, v FROM incoming JOIN bumped ON topic_id = t AND part = p;
    GET DIAGNOSTICS appended = ROW_COUNT;
    IF appended <> cardinality(topics) THEN
        RAISE EXCEPTION 'bus: unknown topic or partition' USING ERRCODE = 'no_data_found';
    END IF;
    RETURN appended;
END $$;
"""

_GROUPS = """
CREATE OR REPLACE FUNCTION bus.bury_dead(in_group text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM bus.member m WHERE m.group_name = in_group AND (m.expires_at < now() OR NOT EXISTS (
        SELECT 1 FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (l.classid::bigint << 32) | l.objid::bigint = m.alive_key));
    IF FOUND THEN
        UPDATE bus.consumer_group SET generation = generation + 1, changed_at = now() WHERE name = in_group;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION bus.join_group(in_group text, who uuid, alive bigint, wanted text[], session_s float8)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bus.consumer_group (name) VALUES (in_group) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM bus.consumer_group WHERE name = in_group FOR UPDATE;
    PERFORM bus.bury_dead(in_group);
    INSERT INTO bus.member (group_name, id, alive_key, topics, expires_at)
        VALUES (in_group, who, alive, wanted, now() + make_interval(secs => session_s));
    INSERT INTO bus.lease (group_name, topic_id, part)
        SELECT in_group, t.id, h.part FROM bus.topic t JOIN bus.head h ON h.topic_id = t.id
        WHERE t.name = ANY (wanted) ORDER BY t.id, h.part ON CONFLICT DO NOTHING;
    UPDATE bus.consumer_group SET generation = generation + 1, changed_at = now() WHERE name = in_group;
END $$;

CREATE OR REPLACE FUNCTION bus.leave_group(in_group text, who uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM bus.consumer_group WHERE name = in_group FOR UPDATE;
    UPDATE bus.lease SET member = NULL WHERE group_name = in_group AND member = who;
    DELETE FROM bus.member WHERE group_name = in_group AND id = who;
    UPDATE bus.consumer_group SET generation = generation + 1, changed_at = now() WHERE name = in_group;
END $$;

-- The group's generation, or null when this member has been declared dead.
CREATE OR REPLACE FUNCTION bus.beat(in_group text, who uuid, session_s float8) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM bus.consumer_group WHERE name = in_group FOR UPDATE;
    UPDATE bus.member SET expires_at = now() + make_interval(secs => session_s)
        WHERE group_name = in_group AND id = who AND expires_at >= now();
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM bus.bury_dead(in_group);
    RETURN (SELECT generation FROM bus.consumer_group WHERE name = in_group);
END $$;

-- Takes what is free, or whose owner is gone, or has had `grace_s` to let go.
CREATE OR REPLACE FUNCTION bus.claim(
    in_group text, who uuid, as_of bigint, topics integer[], parts smallint[], grace_s float8
) RETURNS TABLE (topic_id integer, part smallint, next_offset bigint, generation bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE overdue boolean;
BEGIN
    SELECT g.changed_at + make_interval(secs => grace_s) < now() INTO overdue
        FROM bus.consumer_group g WHERE g.name = in_group AND g.generation = as_of FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH free AS (
        SELECT l.topic_id, l.part FROM bus.lease l
        JOIN unnest(topics, parts) AS w(t, p) ON l.topic_id = t AND l.part = p
        WHERE l.group_name = in_group AND (overdue OR l.member IS NULL OR l.member = who OR NOT EXISTS (
            SELECT 1 FROM bus.member m WHERE m.group_name = in_group AND m.id = l.member))
        ORDER BY l.topic_id, l.part FOR UPDATE OF l
    )
    UPDATE bus.lease l SET member = who, generation = l.generation + 1 FROM free f
    WHERE l.group_name = in_group AND l.topic_id = f.topic_id AND l.part = f.part
    RETURNING l.topic_id, l.part, l.next_offset, l.generation;
END $$;

CREATE OR REPLACE FUNCTION bus.acknowledge(
    in_group text, who uuid, topics integer[], parts smallint[], generations bigint[], nexts bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE done bigint;
BEGIN
    WITH mine AS (
        SELECT l.topic_id, l.part, n FROM bus.lease l
        JOIN unnest(topics, parts, generations, nexts) AS a(t, p, g, n) ON l.topic_id = t AND l.part = p
        WHERE l.group_name = in_group AND l.member = who AND l.generation = g
        ORDER BY l.topic_id, l.part FOR UPDATE OF l
    )
    UPDATE bus.lease l SET next_offset = greatest(l.next_offset, n) FROM mine m
    WHERE l.group_name = in_group AND l.topic_id = m.topic_id AND l.part = m.part;
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END $$;
"""

_TIME = """
-- The first offset of a partition whose record is not older than `since`: offsets have no gaps, time never runs back.
CREATE OR REPLACE FUNCTION bus.offset_at(in_topic integer, in_part smallint, since timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE low bigint; high bigint; middle bigint;
BEGIN
    SELECT h.next_offset INTO high FROM bus.head h WHERE h.topic_id = in_topic AND h.part = in_part;
    SELECT r.off INTO low FROM bus.record r WHERE r.topic_id = in_topic AND r.part = in_part ORDER BY r.off LIMIT 1;
    IF low IS NULL THEN
        RETURN high;
    END IF;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        IF since > (
            SELECT r.at FROM bus.record r WHERE r.topic_id = in_topic AND r.part = in_part AND r.off = middle
        ) THEN
            low := middle + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;
"""


async def create_log(connection: Any) -> None:
    """Create the log's schema where it is missing; safe to call at any time, by several processes at once."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_DDL_LOCK})")
        if not await connection.fetchval("SELECT to_regclass('bus.lease') IS NOT NULL"):
            await connection.execute(_TABLES)
        await connection.execute(_APPEND + _GROUPS + _TIME)


async def create_topics(connection: Any, topics: list[str], partitions: int) -> None:
    """Create topics that don't exist yet, with a head for every partition."""
    await connection.execute(
        """
        WITH fresh AS (
            INSERT INTO bus.topic (name, partitions) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING RETURNING id
        )
        INSERT INTO bus.head (topic_id, part) SELECT id, p FROM fresh, generate_series(0, $2::int - 1) AS p
        """,
        topics,
        partitions,
    )
