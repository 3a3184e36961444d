"""What sending webhooks counts."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter(
    "crm_webhook_deliveries",
    "Webhooks tried or given up, by what came of it: delivered, retried, failed, dropped",
    ["outcome"],
)
DISABLED = Counter("crm_webhook_endpoints_disabled", "Endpoints that were disabled, by reason", ["reason"])
DUE_AGE = Gauge(
    "crm_webhook_due_age_seconds",
    "How long the endpoint that has waited longest has had something to be sent",
    multiprocess_mode="livemax",
)
DELAY = Histogram(
    "crm_webhook_delay_seconds",
    "From an event's being kept to its first attempt",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600),
)
