"""The types of the payment provider's events that we need.

Whoever registers the endpoint subscribes to these; other events are not stored.
"""

CANCELED = "payment_intent.canceled"
AUTHORIZATION_EVENTS = frozenset(
    {"payment_intent.amount_capturable_updated", "payment_intent.payment_failed"}
)
"""Webhooks about the end of an authorisation: a payment that waits for none ignores
them."""
PAYMENT_EVENTS = AUTHORIZATION_EVENTS | {CANCELED}
REFUND_EVENTS = frozenset({"charge.refund.updated", "refund.failed", "refund.updated"})
DISPUTE_EVENTS = frozenset(
    {
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
    }
)
SUBSCRIBED_EVENTS = PAYMENT_EVENTS | REFUND_EVENTS | DISPUTE_EVENTS
