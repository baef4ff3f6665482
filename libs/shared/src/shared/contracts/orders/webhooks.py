"""The payment provider's events that we need, by their types.

Whoever registers the endpoint subscribes to these; others that come are not stored.
"""

CANCELED = "payment_intent.canceled"
PAYMENT_EVENTS = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        CANCELED,
        "payment_intent.payment_failed",
    }
)
REFUND_EVENTS = frozenset({"charge.refund.updated", "refund.failed", "refund.updated"})
SUBSCRIBED_EVENTS = PAYMENT_EVENTS | REFUND_EVENTS
