"""What work in the database is counted and timed by."""

from prometheus_client import Counter, Gauge, Histogram

POOL_WAIT = Histogram(
    "crm_pool_wait_seconds",
    "Waits of over a millisecond for a database connection.",
    ["service"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
POOL = Gauge(
    "crm_pool_connections",
    "Database connections of the pools, by what they are: in use, or most there may be.",
    ["service", "state"],
    multiprocess_mode="livesum",
)
TIMERS = Counter("crm_timers", "Pieces of due work that were tried, by how that went.", ["service", "kind", "outcome"])
TIMER_SECONDS = Histogram(
    "crm_timer_turn_seconds",
    "Time of one turn of due work: one transaction of one tenant and kind.",
    ["service", "kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
JOB_SECONDS = Histogram(
    "crm_job_seconds",
    "Time of one run of a long job, by how it ended.",
    ["service", "kind", "outcome"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
)
