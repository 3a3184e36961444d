"""What the backbone counts."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

APPLIED = Counter("crm_events_applied", "Events taken in, by consuming service", ["service"])
DUPLICATES = Counter("crm_events_duplicate", "Events delivered again and skipped", ["service"])
GAPS = Counter("crm_event_gaps", "Keys parked because an event was missing", ["service"])
STALE = Counter("crm_events_stale", "Alarm: unseen events at or below a sequence that was already passed", ["service"])
PARKED = Counter("crm_keys_parked", "Keys parked, by reason", ["service", "reason"])
LAG_RECORDS = Gauge("crm_consumer_lag_records", "Records behind the log's end", ["service"])
LAG_SECONDS = Gauge("crm_consumer_lag_seconds", "Age of the oldest event not yet applied", ["service"])
LAG_MEASURED = Gauge("crm_consumer_lag_measured_timestamp_seconds", "When the lag was last measured", ["service"])
PUBLISHED = Counter("crm_events_published", "Events handed to the bus and acknowledged", ["service"])
UNSENDABLE = Counter("crm_outbox_parked", "Alarm: outbox rows that could not be published", ["service"])
PUBLISH_SECONDS = Histogram(
    "crm_event_publish_seconds",
    "From an event's transaction to the bus' acknowledgement, the oldest of each batch",
    ["service"],
    buckets=_SECONDS,
)
APPLY_SECONDS = Histogram(
    "crm_event_apply_seconds",
    "From an event's transaction in its service to its effect in another, the oldest of each batch",
    ["service"],
    buckets=_SECONDS,
)
HANDLER_SECONDS = Histogram(
    "crm_handler_seconds", "Time of one call of a handler of events", ["service", "type"], buckets=_SECONDS
)
