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
UNPUBLISHED = Gauge("crm_outbox_rows", "Events that wait to be published; counted up to 10,000.", ["service"])
OUTBOX_AGE = Gauge(
    "crm_outbox_age_seconds", "Age of the oldest event that waits to be published; 0 when none does.", ["service"]
)
UNSENDABLE = Gauge("crm_outbox_unsendable_rows", "Events that the bus refused; they are tried again.", ["service"])
PARKED_KEYS = Gauge(
    "crm_parked_keys", "Keys whose events wait in a consuming service, by reason.", ["service", "reason"]
)
DUE = Gauge("crm_due_rows", "Pieces of work that are due now; counted up to 10,000.", ["service"])
DUE_LATE = Gauge("crm_due_late_seconds", "How late the most overdue piece of work is; 0 when none is.", ["service"])
UNFINISHED = Gauge("crm_operations_unfinished", "Long jobs that wait or run.", ["service"])
