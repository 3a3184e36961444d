"""What the backbone counts."""

from prometheus_client import Counter, Gauge

APPLIED = Counter("crm_events_applied", "Events taken in, by consuming service", ["service"])
DUPLICATES = Counter("crm_events_duplicate", "Events delivered again and skipped", ["service"])
GAPS = Counter("crm_event_gaps", "Keys parked because an event was missing", ["service"])
STALE = Counter("crm_events_stale", "Alarm: unseen events at or below a sequence that was already passed", ["service"])
PARKED = Counter("crm_keys_parked", "Keys parked, by reason", ["service", "reason"])
LAG_RECORDS = Gauge("crm_consumer_lag_records", "Records behind the log's end", ["service"])
LAG_SECONDS = Gauge("crm_consumer_lag_seconds", "Age of the oldest event not yet applied", ["service"])
PUBLISHED = Counter("crm_events_published", "Events handed to the bus and acknowledged", ["service"])
UNSENDABLE = Counter("crm_outbox_parked", "Alarm: outbox rows that could not be published", ["service"])
OUTBOX_AGE = Gauge(
    "crm_outbox_age_seconds", "Age of the oldest event in the last batch when it was published", ["service"]
)
