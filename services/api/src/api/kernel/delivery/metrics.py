"""Metrics of the deliverer. Endpoints are few (`MOST_ENDPOINTS`), so each may have its
own series, which ends with the lease."""

from prometheus_client import Counter, Histogram

DELIVERIES = Counter(
    "webhook_attempts", "Attempts to tell an endpoint.", ["endpoint", "outcome"]
)
LAG = Histogram(
    "webhook_delivery_lag_seconds",
    "From the event to its first successful delivery.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3600, 86400, 259200),
)
LATENCY = Histogram(
    "webhook_attempt_duration_seconds",
    "How long endpoints took to answer.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
OUTCOMES = ("succeeded", "failed")


def begin(endpoint: str) -> None:
    """Start both outcomes at 0, so that the first failure is a rise."""
    for outcome in OUTCOMES:
        DELIVERIES.labels(endpoint, outcome)


def end(endpoint: str) -> None:
    for outcome in OUTCOMES:
        DELIVERIES.remove(endpoint, outcome)
