"""Finds unfinished work by the facts: the queries of the sweep.

All are answered from partial indexes over what is open, except the one about money that
is still held.
"""

from datetime import timedelta

from shared.database.orders.labels import OF_CANCELLED, SPOILT
from shared.database.orders.stock import IS_SUPPLIED, WAITS_FOR_STOCK
from sqlalchemy import text

from worker.orders.order.lost_starts import NOT_BEGUN
from worker.orders.shipment.policy import SCAN_DUE

GRACE = timedelta(minutes=1)

# An order that was placed a moment ago is about to be started by the API itself.
OPEN_ORDERS = text(
    f"""
    SELECT o.id FROM orders o JOIN (
      SELECT id FROM orders WHERE status IN ('placed', 'confirmed')
      UNION
      SELECT order_id FROM payments WHERE authorized > captured + released
      UNION
      SELECT order_id FROM shipments s WHERE status = 'shipped' OR {OF_CANCELLED}
      UNION
      SELECT root FROM holds WHERE released_at IS NULL AND subject !~ '^(ref|ret)_'
      UNION
      SELECT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
      JOIN refunds r ON r.id = l.ref AND r.reason = 'cancellation'
      WHERE l.kind = 'refund' AND l.status = 'pending'
      UNION
      SELECT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
      WHERE l.kind = 'authorize' AND l.status = 'pending'
    ) unfinished ON unfinished.id = o.id
    WHERE o.created_at < now() - cast(:grace AS interval)
    """  # noqa: S608 - our own condition
)
"""Orders with work left, also after their end: money to give back, or to hear whether
it is held; a parcel that left all the same, a label to give back, a question to
somebody."""

OPEN_RETURNS = text(
    """
    SELECT order_id, id FROM returns
    WHERE status IN ('requested', 'approved', 'received')
      AND created_at < now() - cast(:grace AS interval)
    """
)
OPEN_REFUNDS = text(
    """
    SELECT DISTINCT r.order_id, r.id
    FROM ledger l JOIN refunds r ON r.id = l.ref
    LEFT JOIN returns t ON t.id = r.return_id
    WHERE l.kind = 'refund' AND l.status = 'pending' AND r.reason <> 'cancellation'
      AND r.created_at < now() - cast(:grace AS interval)
      AND (t.id IS NULL OR t.status = 'closed')
    """
)
"""Refunds without a workflow: a cancellation's is run by its order, a return's by its
return."""

_LONGER_THAN_A_TRY = "interval '2 minutes'"
"""A try in a provider's queue ends within a minute (`worker/orders/options.py`). A try
within a workflow task leaves no trace in the history when server or worker dies with
that task, so nobody may be repeating a request that was sent longer ago."""

NEEDS_A_NUDGE = text(
    f"""
    SELECT DISTINCT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
    WHERE l.status = 'pending' AND l.created_at < now() - {_LONGER_THAN_A_TRY}
      AND NOT (l.kind = 'authorize' AND p.next_action IS NOT NULL)
    UNION
    SELECT root FROM holds
    WHERE released_at IS NULL AND escalated_at IS NULL AND due_at < now()
    """  # noqa: S608 - our own words
)
"""Orders with an overdue answer or hold. Payments that a customer has to confirm are
left out: the provider's webhook and reconciliation settle them."""

_ASKS_NOBODY = """
    o.updated_at < now() - cast(:grace AS interval)
    AND NOT EXISTS (SELECT FROM payments p JOIN ledger l ON l.payment_id = p.id
                    WHERE p.order_id = o.id AND l.status = 'pending'
                      AND l.sent_at IS NOT NULL
                      AND NOT (l.kind = 'authorize' AND p.next_action IS NOT NULL))
"""
_AT_REST = f"""{_ASKS_NOBODY}
    AND NOT EXISTS (SELECT FROM holds h WHERE h.root = o.id AND h.released_at IS NULL)
"""
"""An order at rest: it has no open hold, and no request is under way. An unsent request
does not count, nor one that waits for the customer. If such an order has work left, no
workflow saw a command: its facts were committed, and then the server or the worker died
before the task that would have continued (docs/adr/0042)."""

UNSENT = text(
    """
    SELECT DISTINCT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
    LEFT JOIN refunds r ON r.id = l.ref
    WHERE l.status = 'pending' AND l.sent_at IS NULL AND l.kind <> 'authorize'
      AND l.created_at < now() - cast(:grace AS interval)
      AND (r.id IS NULL OR r.reason = 'cancellation')
      AND NOT EXISTS (SELECT FROM holds h WHERE h.released_at IS NULL
                      AND h.subject IN (p.order_id, l.ref))
    """
)
"""Requests that a command opened and whose workflow never sent them. An order's first
authorisation is not among them: the workflow's first act is to send it, so an unsent
one means that no workflow runs (`OPEN_ORDERS`) or no worker has come to it."""

UNHEARD_ORDERS = text(
    f"""
    SELECT o.id FROM orders o JOIN (
      SELECT o.id FROM orders o WHERE o.status = 'placed' AND NOT ({NOT_BEGUN})
      UNION
      SELECT id FROM orders
      WHERE status IN ('placed', 'confirmed') AND cancel_wanted IS NOT NULL
      UNION
      SELECT p.order_id FROM payments p JOIN orders q ON q.id = p.order_id
      WHERE p.authorized > p.captured + p.released
        AND q.status IN ('completed', 'cancelled')
      UNION
      SELECT p.order_id FROM orders q JOIN payments p ON p.order_id = q.id
      WHERE q.status = 'confirmed'
        AND p.created_at > now() - interval '1 day'
        AND NOT EXISTS (SELECT FROM ledger l WHERE l.payment_id = p.id)
      UNION
      SELECT r.order_id FROM orders q JOIN reservations r ON r.order_id = q.id
      WHERE q.status = 'confirmed' AND r.qty > (
        SELECT coalesce(sum(i.qty), 0)
        FROM shipments s JOIN shipment_lines i ON i.shipment_id = s.id
        WHERE s.order_id = r.order_id AND s.location = r.location
          AND i.line = r.line AND s.status IN ('ready', 'packed'))
      UNION
      SELECT q.id FROM orders q
      WHERE q.status = 'confirmed'
        AND NOT EXISTS (SELECT FROM shipments s WHERE s.order_id = q.id
                        AND s.status IN ('ready', 'packed', 'shipped'))
        AND NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = q.id
                        AND l.cancelled + l.shipped < l.qty)
    ) unfinished ON unfinished.id = o.id
    WHERE {_AT_REST}
    """  # noqa: S608 - our own condition
)
"""Orders with a step to take that nobody takes: confirm, return money, try another
payment method, plan parcels, or complete."""

LINGERING = text(
    """
    SELECT id FROM orders
    WHERE id = ANY(:running) AND status IN ('completed', 'cancelled')
      AND updated_at < now() - cast(:grace AS interval)
    """
)
"""Orders that are over by the facts, among those whose workflow still runs."""

UNHEARD_PARCELS = text(
    f"""
    SELECT o.id FROM shipments s JOIN orders o ON o.id = s.order_id
    WHERE (s.status = 'ready' AND s.parcel IS NOT NULL
           OR s.status IN ('ready', 'packed', 'shipped') AND {SPOILT}
           OR {OF_CANCELLED}) AND {_ASKS_NOBODY}
      AND NOT EXISTS (SELECT FROM holds h WHERE h.released_at IS NULL
                      AND h.subject IN (o.id, s.id))
    UNION
    SELECT s.order_id FROM shipments s
    WHERE s.status = 'shipped' AND s.tracked
      AND greatest(s.shipped_at, s.tracking_at)
        < now() - interval '{int(SCAN_DUE.total_seconds())} seconds'
      AND NOT EXISTS (SELECT FROM holds h WHERE h.subject = s.id
                      AND h.reason = 'delivery' AND h.released_at IS NULL)
    """  # noqa: S608 - our own condition
)
"""Orders with a parcel that waits to be paid and labelled, whose label has to be
voided, or that left and is overdue."""

UNHEARD_RETURNS = text(
    f"""
    SELECT t.id FROM returns t JOIN orders o ON o.id = t.order_id
    WHERE t.status = 'approved' AND t.due_at IS NULL AND {_AT_REST}
    UNION
    SELECT t.id FROM returns t JOIN orders o ON o.id = t.order_id
    WHERE t.status = 'received' AND o.updated_at < now() - {_LONGER_THAN_A_TRY}
      AND NOT EXISTS
        (SELECT FROM holds h WHERE h.root = o.id AND h.released_at IS NULL)
    """  # noqa: S608 - our own condition
)
"""Returns that wait for a label, or long for their refund."""

UNHEARD_REFUNDS = text(
    f"""
    SELECT DISTINCT l.ref FROM ledger l
    WHERE l.kind = 'refund' AND l.status = 'pending'
      AND l.created_at < now() - {_LONGER_THAN_A_TRY}
      AND NOT EXISTS
        (SELECT FROM holds h WHERE h.subject = l.ref AND h.released_at IS NULL)
    """  # noqa: S608 - our own words
)
"""Refunds that take long without a hold."""

ALLOCATABLE = text(
    f"""
    SELECT DISTINCT l.sku FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE l.cancelled + l.reserved + l.shipped < l.qty AND {WAITS_FOR_STOCK}
      AND {IS_SUPPLIED.format(sku="l.sku")}
    """  # noqa: S608 - our own condition
)

RUNNING_EXPORTS = text(
    """
    SELECT id, id FROM exports
    WHERE status = 'running' AND created_at < now() - cast(:grace AS interval)
    """
)
"""Unfinished exports; in two columns, like an order's returns."""
