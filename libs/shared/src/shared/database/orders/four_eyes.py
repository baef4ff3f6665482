"""Finds out who must not decide about a hold: those who caused it."""

from sqlalchemy import text

from shared.contracts.orders.holds import HoldReason
from shared.database.engine import Connection


async def barred_from(
    connection: Connection, order_id: str, reason: str, placed_by: str
) -> set[str]:
    """The people who must not decide: everybody who had a hand in what is to be
    approved, also in somebody else's name. Empty for an unknown order."""
    rows = await connection.scalars(
        _HANDS, {"id": order_id, "all": reason == HoldReason.APPROVAL}
    )
    return {placed_by, *rows}


_HANDS = text(
    """
    SELECT customer FROM orders WHERE id = :id
    UNION SELECT actor FROM events WHERE cast(:all AS boolean)
      AND subject = :id AND type IN ('order.placed', 'contact.changed')
    """
)
