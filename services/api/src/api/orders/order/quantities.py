"""Limits quantities, because unpaid orders take stock from others."""

from datetime import timedelta

from api.http.problems import Problem
from api.orders.order.schemas import NewOrder
from api.settings import ApiSettings

UNPAID_LIVES = timedelta(days=7)
"""By then an unpaid order is cancelled: docs/domain.md, Holds."""


def check_quantities(settings: ApiSettings, wanted: NewOrder, unpaid: int) -> None:
    """`unpaid` units of this customer are still to be paid. Raises `Problem`
    quantity-limit."""
    most = settings.order_line_units
    if large := [line.sku for line in wanted.lines if line.quantity > most]:
        raise Problem(
            "quantity-limit",
            f"A line may have {most} units.",
            skus=large[:50],
            limit=most,
        )
    units = sum(line.quantity for line in wanted.lines)
    if unpaid + units > settings.customer_unpaid_units:
        raise Problem(
            "quantity-limit",
            f"{unpaid} units of yours are not paid yet; pay them first.",
            limit=settings.customer_unpaid_units,
        )


UNPAID = """
    SELECT coalesce(cast(sum(l.qty - l.cancelled) AS int), 0)
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE o.customer = :customer AND o.status = 'placed'
      AND o.created_at > now() - cast(:lives AS interval)
      AND NOT EXISTS (SELECT FROM payments p WHERE p.order_id = o.id
                      AND p.authorized > p.captured + p.released)
"""
