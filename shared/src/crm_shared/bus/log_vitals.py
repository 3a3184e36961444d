"""How the PostgreSQL log is."""

from collections.abc import Mapping, Sequence

from crm_shared.bus.port import Lag
from crm_shared.bus.vitals import BusVitals
from crm_shared.clock import SystemClock
from crm_shared.db.away import FAILED
from crm_shared.db.vitals import Unreachable, connect

_LAG = """
SELECT coalesce(sum(h.next_offset - at.first), 0)::bigint AS records,
       coalesce(max(extract(epoch FROM clock_timestamp() - oldest.at)), 0)::float8 AS seconds
FROM bus.head h JOIN bus.topic t ON t.id = h.topic_id
LEFT JOIN bus.lease l ON l.group_name = $1 AND l.topic_id = h.topic_id AND l.part = h.part
CROSS JOIN LATERAL (SELECT coalesce(l.next_offset, 0) AS first) at
LEFT JOIN LATERAL (SELECT r.at FROM bus.record r WHERE r.topic_id = h.topic_id AND r.part = h.part
                   AND r.off >= at.first ORDER BY r.off LIMIT 1) oldest ON true
WHERE t.name = ANY($2) AND h.next_offset > at.first
"""


async def look_at_log(url: str, groups: Mapping[str, Sequence[str]], topics: Sequence[str]) -> BusVitals:
    """Ask the log's database.

    Raises:
        Unreachable: it can't be asked.
    """
    connection = await connect(url)
    try:
        ours = SystemClock().now()
        ahead = await connection.fetchval("SELECT clock_timestamp()") - ours
        there: set[str] = set()
        lags: dict[str, Lag] = {}
        if await connection.fetchval("SELECT to_regclass('bus.lease') IS NOT NULL"):
            there = {row["name"] for row in await connection.fetch("SELECT name FROM bus.topic")}
            for group, read in groups.items():
                (row,) = await connection.fetch(_LAG, group, list(read))
                lags[group] = Lag(row["records"], row["seconds"])
    except FAILED as fault:
        raise Unreachable(f"the log's database: {type(fault).__name__}: {fault}") from None
    finally:
        await connection.close(timeout=5)
    missing = [topic for topic in topics if topic not in there]
    return BusVitals("PostgreSQL log", "", ahead.total_seconds(), missing, lags)
