"""Limits how often cards may be tried, because testing stolen ones takes many
attempts."""

from dataclasses import dataclass

from shared.contracts.orders.holds import TOO_MANY_ATTEMPTS
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.payments import UNSUCCESSFUL
from shared.database.orders.snapshot import OrderSnapshot
from sqlalchemy import text


@dataclass(frozen=True)
class AttemptLimits:
    """Unsuccessful attempts after which a person of the shop looks at the order."""

    of_order: int = 10
    of_customer: int = 20
    """Within an hour, over all of their orders."""


async def too_many(
    change: UnitOfWork, order: OrderSnapshot, limits: AttemptLimits
) -> bool:
    """Whether a limit is reached. Attempts from before a person let the order go on do
    not count."""
    made = await change.connection.execute(
        _MADE,
        {
            "order": order.id,
            "customer": order.customer,
            "cause": TOO_MANY_ATTEMPTS,
        },
    )
    row = made.one()
    return bool(
        row.of_order >= limits.of_order or row.of_customer >= limits.of_customer
    )


_MADE = text(
    f"""
    WITH looked AS (
      SELECT coalesce(max(released_at), '-infinity') AS at FROM holds
      WHERE root = :order AND reason = 'payment' AND detail ->> 'cause' = :cause
    ), made AS (
      SELECT p.order_id, l.created_at
      FROM orders o JOIN payments p ON p.order_id = o.id
        JOIN ledger l ON l.payment_id = p.id
      WHERE (o.id = :order OR o.customer = :customer
             AND o.updated_at > now() - interval '1 hour')
        AND {UNSUCCESSFUL}
        AND l.created_at > (SELECT at FROM looked)
    )
    SELECT count(*) FILTER (WHERE order_id = :order) AS of_order,
      count(*) FILTER (WHERE created_at > now() - interval '1 hour') AS of_customer
    FROM made
    """  # noqa: S608 - our own condition
)
