"""The events of an order that are mailed to its customer, or to staff."""

NOTIFIED_EVENTS = frozenset(
    {
        "order.placed",
        "order.confirmed",
        "order.lines_cancelled",
        "order.cancelled",
        # For holds that the customer can end: payment and address.
        "hold.placed",
        "hold.reminded",
        # Of another address alone: whoever has the link of a mail may give one.
        "contact.changed",
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
"""Mailed to the shop's own people, with templates of the same kind."""
