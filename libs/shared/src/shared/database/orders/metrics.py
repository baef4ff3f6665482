"""Counts what happened to orders, in the process that committed it (docs/adr/0300).

A repeat under the same key commits nothing, so it counts nothing. All label values
start at 0: otherwise the first cancellation after a restart would be no rise.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Counter, Histogram

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import DisputeStatus

_WAITS = (1, 5, 30, 60, 300, 900, 3600, 4 * 3600, 86400, 3 * 86400, 7 * 86400)

PLACED = Counter("orders_placed", "Orders accepted.")
CONFIRMED = Counter("orders_confirmed", "Orders promised to the customer.")
COMPLETED = Counter("orders_completed", "Orders delivered and settled.")
CANCELLED = Counter("orders_cancelled", "Orders that came to nothing.", ["reason"])
CONFIRMED_AFTER = Histogram(
    "orders_time_to_confirmation_seconds",
    "From placement to confirmation.",
    buckets=_WAITS,
)
SHIPPED_AFTER = Histogram(
    "orders_time_to_shipment_seconds",
    "From placement to the handing over of a parcel.",
    buckets=_WAITS,
)
AUTHORIZATIONS = Counter(
    "orders_authorizations", "Authorisations that were answered.", ["outcome"]
)
CAPTURES = Counter("orders_captures", "Captures that were answered.", ["outcome"])
PAYMENTS_STOPPED = Counter(
    "orders_payments_stopped", "Payments that were not tried, after too many attempts."
)
REFUNDS = Counter("orders_refunds", "Refunds that were settled.", ["outcome"])
DISPUTES = Counter("orders_disputes", "Disputes, and how they ended.", ["outcome"])

OTHER = "other"
CANCEL_REASONS = (
    *(reason.value for reason in HoldReason),
    *("customer-request", "workflow-cancelled", OTHER),
)
"""Callers may give categories of their own; in a metric they are all `other`."""

_OUTCOMES = {
    "payment.authorized": AUTHORIZATIONS.labels("succeeded"),
    "payment.declined": AUTHORIZATIONS.labels("failed"),
    "payment.captured": CAPTURES.labels("succeeded"),
    "payment.capture_failed": CAPTURES.labels("failed"),
    "payment.stopped": PAYMENTS_STOPPED,
    "refund.succeeded": REFUNDS.labels("succeeded"),
    "refund.failed": REFUNDS.labels("failed"),
    "refund.rejected": REFUNDS.labels("rejected"),
    **{
        f"dispute.{outcome}": DISPUTES.labels(outcome)
        for outcome in ("opened", *(status for status in DisputeStatus if status.ended))
    },
    "order.placed": PLACED,
    "order.confirmed": CONFIRMED,
    "order.completed": COMPLETED,
}
_DELAYS = {"order.confirmed": CONFIRMED_AFTER, "shipment.shipped": SHIPPED_AFTER}

for _reason in CANCEL_REASONS:
    CANCELLED.labels(_reason)


def count(events: Iterable[Mapping[str, Any]], age_seconds: float) -> None:
    """Count committed events of an order that was placed `age_seconds` before."""
    for event in events:
        kind = event["type"]
        if kind in _OUTCOMES:
            _OUTCOMES[kind].inc()
        if kind in _DELAYS:
            _DELAYS[kind].observe(age_seconds)
        if kind == "order.cancelled":
            reason = event["data"]["reason"]
            CANCELLED.labels(reason if reason in CANCEL_REASONS else OTHER).inc()
