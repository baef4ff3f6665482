"""Erases a person whose order is over.

The shop's books stay: what was sold, paid, sent and given back, when, and by which of
the staff.
"""

from sqlalchemy import text

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import HoldReason
from shared.database.engine import Connection
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.labels import OF_CANCELLED

WORK_LEFT = f"""(
  o.status NOT IN ('completed', 'cancelled')
  OR EXISTS (SELECT FROM holds h WHERE h.root = o.id AND h.released_at IS NULL)
  OR EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id AND r.status = 'pending')
  OR EXISTS (SELECT FROM returns t WHERE t.order_id = o.id
             AND t.status IN ('requested', 'approved', 'received'))
  OR EXISTS (SELECT FROM payments p WHERE p.order_id = o.id
             AND p.authorized > p.captured + p.released)
  OR EXISTS (SELECT FROM shipments s WHERE s.order_id = o.id
             AND (s.status = 'shipped'
               OR {OF_CANCELLED}))
)"""  # noqa: S608 - our own condition
"""SQL over an order `o`: the person, or their card, is still needed."""

_IS_NEEDED = text(f"SELECT {WORK_LEFT} FROM orders o WHERE o.id = :id")  # noqa: S608

OUR_REASONS = (
    *("customer-request", "workflow-cancelled"),
    *(f"{reason}-hold" for reason in HoldReason),
)
"""Our own reasons for a cancellation, which name nobody."""


def _is_ours(column: str) -> str:
    """SQL: the value is one of our own words, or empty."""
    words = ", ".join(f"'{word}'" for word in OUR_REASONS)
    return f"coalesce({column} IN ({words}), true)"


_ERASE_CONTACT = text(
    """
    UPDATE contacts SET name = NULL, email = NULL, phone = NULL, locale = NULL,
      ship_to = NULL, bill_to = NULL, erased_at = now()
    WHERE order_id = :id AND erased_at IS NULL
    """
)
_ERASE = (
    # Notes may be about people.
    text("DELETE FROM notes WHERE subject = :id"),
    text(
        """
        DELETE FROM notes n USING discrepancies d
        WHERE n.subject = d.id AND (d.subject = :id OR d.subject IN (
          SELECT id FROM payments WHERE order_id = :id))
        """
    ),
    text("UPDATE holds SET note = NULL WHERE root = :id AND note IS NOT NULL"),
    # Labels show name and address. The number of a parcel does not.
    text(
        "UPDATE shipments SET label_ref = NULL, label_url = NULL"
        " WHERE order_id = :id AND label_ref IS NOT NULL"
    ),
    text(
        "UPDATE shipments SET spoilt_labels = '[]'"
        " WHERE order_id = :id AND spoilt_labels <> '[]'"
    ),
    text(
        "UPDATE packages SET label_ref = NULL, label_url = NULL WHERE shipment_id IN"
        " (SELECT id FROM shipments WHERE order_id = :id) AND label_ref IS NOT NULL"
    ),
    text(
        "UPDATE returns SET label_ref = NULL, label_url = NULL"
        " WHERE order_id = :id AND label_ref IS NOT NULL"
    ),
    # The card. The provider's customer is needed until it is deleted there.
    text(
        "UPDATE payments SET method_ref = 'erased', return_url = NULL,"
        " next_action = NULL WHERE order_id = :id"
    ),
    # Categories and assignees are the callers' own words, and may be anybody's name.
    text(
        f"""
        UPDATE orders SET reason = 'erased'
        WHERE id = :id AND NOT {_is_ours("reason")}
        """  # noqa: S608 - our own words
    ),
    text(
        "UPDATE return_lines SET reason = 'erased'"
        " WHERE return_id IN (SELECT id FROM returns WHERE order_id = :id)"
    ),
    text("UPDATE holds SET assignee = NULL WHERE root = :id AND assignee IS NOT NULL"),
    text(
        "UPDATE events SET data = data || jsonb_build_object('assignee', NULL)"
        " WHERE subject = :id AND type = 'hold.assigned'"
    ),
    text(
        f"""
        UPDATE events SET data = data || jsonb_build_object('reason', 'erased')
        WHERE subject = :id AND type IN ('order.cancelled', 'order.lines_cancelled')
          AND NOT {_is_ours("data ->> 'reason'")}
        """  # noqa: S608 - our own words
    ),
    text(
        """
        UPDATE events SET data = jsonb_set(data, '{lines}', (
          SELECT jsonb_agg(line || jsonb_build_object('reason', 'erased') ORDER BY n)
          FROM jsonb_array_elements(data -> 'lines') WITH ORDINALITY AS l (line, n)))
        WHERE subject = :id AND type = 'return.requested'
        """
    ),
    # The shop's own remarks, whatever they contain.
    text("UPDATE orders SET metadata = '{}' WHERE id = :id"),
)
_RENAME = (
    text(
        """
        UPDATE orders SET customer = :alias, external_ref = NULL,
          placed_by = CASE placed_by WHEN :customer THEN :alias ELSE placed_by END
        WHERE id = :id
        """
    ),
    text("UPDATE events SET actor = :alias WHERE subject = :id AND actor = :customer"),
    # A cancellation frees stock; by SKU its movements are found fast.
    text(
        "UPDATE stock_movements SET actor = :alias"
        " WHERE sku IN (SELECT sku FROM order_lines WHERE order_id = :id)"
        " AND ref = :id AND actor = :customer"
    ),
    text(
        """
        UPDATE holds SET
          placed_by = CASE placed_by WHEN :customer THEN :alias ELSE placed_by END,
          decided_by = CASE decided_by WHEN :customer THEN :alias ELSE decided_by END
        WHERE root = :id AND :customer IN (placed_by, decided_by)
        """
    ),
    text(
        "UPDATE refunds SET requested_by = :alias"
        " WHERE order_id = :id AND requested_by = :customer"
    ),
    text(
        "UPDATE returns SET requested_by = :alias"
        " WHERE order_id = :id AND requested_by = :customer"
    ),
)


_FORGET_ANSWERS = (
    # Stored answers, which are repeated for some more days, keep only that the request
    # was handled, and the id of what it made.
    text(
        """
        WITH theirs AS (
          SELECT id FROM orders WHERE customer = :alias
        ), known AS (
          SELECT id FROM theirs
          UNION ALL SELECT id FROM payments WHERE order_id IN (TABLE theirs)
          UNION ALL SELECT id FROM refunds WHERE order_id IN (TABLE theirs)
          UNION ALL SELECT id FROM returns WHERE order_id IN (TABLE theirs)
          UNION ALL SELECT id FROM holds WHERE root IN (TABLE theirs)
        )
        UPDATE idempotency_keys SET headers = '{}',
          body = jsonb_strip_nulls(jsonb_build_object('id', body -> 'id'))
        WHERE status < 300 AND (body ->> 'id' IN (TABLE known)
                             OR body -> 'order' ->> 'id' IN (TABLE theirs))
        """
    ),
    text("DELETE FROM idempotency_keys WHERE principal = :customer"),
    # Exported files name customers: they are deleted or written anew. Their rows are
    # locked first, so that no part is written in between.
    text(
        """
        UPDATE exports SET chunks = 0, bytes = 0, rows_written = 0, position = NULL,
          status = CASE status WHEN 'done' THEN 'expired' ELSE status END
        WHERE kind = 'orders' AND status IN ('running', 'done')
        """
    ),
    text(
        "DELETE FROM export_chunks WHERE export_id IN"
        " (SELECT id FROM exports WHERE kind = 'orders')"
    ),
)


async def require_no_work_left(change: UnitOfWork) -> None:
    """Refused with `still-needed`."""
    if await change.connection.scalar(_IS_NEEDED, {"id": change.subject}):
        raise Refusal("still-needed", f"{change.subject} has work left.")


async def erase_person(change: UnitOfWork) -> bool:
    """Erase what the order, which is over, knows of a person. `False` where that was
    done before."""
    order = {"id": change.subject}
    if not await change.connection.count(_ERASE_CONTACT, order):
        return False
    for statement in _ERASE:
        await change.connection.execute(statement, order)
    change.event("contact.erased")
    return True


async def rename_customer(change: UnitOfWork, customer: str, alias: str) -> None:
    """Replace the customer's id in the order by `alias`, wherever it stood."""
    values = {"id": change.subject, "customer": customer, "alias": alias}
    for statement in _RENAME:
        await change.connection.execute(statement, values)
    change.event("customer.erased")


async def forget_answers(connection: Connection, customer: str, alias: str) -> None:
    """Clear stored answers to the customer, and to others about orders that were
    renamed."""
    values = {"customer": customer, "alias": alias}
    for statement in _FORGET_ANSWERS:
        await connection.execute(statement, values)
