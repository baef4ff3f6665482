"""What customers and staff hear about an order, by the type of the event."""

NOTIFIED_EVENTS = frozenset(
    {
        "order.placed",
        "order.confirmed",
        "order.lines_cancelled",
        "order.cancelled",
        # For a hold that the customer can end: a payment or an address.
        "hold.placed",
        "hold.reminded",
        "shipment.shipped",
        "shipment.delivered",
        "refund.succeeded",
        "return.approved",
        "return.rejected",
        "return.reminded",
        "return.received",
        "return.expired",
    }
)
"""Each has a pair of templates in the worker; `hold.*` one for each reason."""

STAFF_EVENTS = frozenset({"dispute.opened"})
"""What the shop's own people hear, with templates of the same kind."""
