"""The state of the business in gauges, each by a partial index: what has ended costs
nothing. Counters of what happened are in `shared.database.orders.metrics`.
"""

from shared.contracts.orders.holds import HOLDS
from shared.contracts.orders.states import DisputeStatus, MoneyKind, OrderStatus

from worker.orders.order.lost_starts import NOT_BEGUN
from worker.runtime.gauges import Gauge
from worker.runtime.kernel_gauges import kernel_gauges

_KINDS = tuple((kind.value,) for kind in MoneyKind)
_DISCREPANCIES = (
    *("payment-missing", "payment-unknown"),
    *("money-differs", "stock-promised-twice", "label-not-voided"),
    "dispute-exceeds-payment",
)

GAUGES = (
    *kernel_gauges(
        "orders",
        reasons=tuple(HOLDS),
        sources=("carrier", "easypost", "stripe"),
        discrepancies=_DISCREPANCIES,
        audit_views=("audit_ledger", "audit_money", "audit_stock"),
    ),
    Gauge(
        "orders_live",
        "Orders that have not ended.",
        "SELECT status, count(*) AS value FROM orders"
        " WHERE status IN ('placed', 'confirmed') GROUP BY status",
        labels=("status",),
        always=((OrderStatus.PLACED,), (OrderStatus.CONFIRMED,)),
    ),
    Gauge(
        "orders_not_started",
        "Orders that were placed two minutes ago and that no workflow has touched.",
        f"SELECT count(*) AS value FROM orders o WHERE {NOT_BEGUN}"  # noqa: S608
        " AND o.created_at < now() - interval '2 minutes'",
    ),
    Gauge(
        "orders_shipments_open",
        "Parcels that have not been handed over.",
        "SELECT status, count(*) AS value FROM shipments"
        " WHERE status IN ('ready', 'packed') GROUP BY status",
        labels=("status",),
        always=(("ready",), ("packed",)),
    ),
    Gauge(
        "orders_oldest_unpacked_seconds",
        "How long the parcel that waits longest has been ready to pack.",
        "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) AS value"
        " FROM shipments WHERE status = 'ready'",
    ),
    Gauge(
        "orders_money_in_flight_minor_units",
        "Amounts that a provider was asked for and has not answered about.",
        "SELECT l.kind, o.currency, sum(l.amount) AS value FROM ledger l"
        " JOIN payments p ON p.id = l.payment_id JOIN orders o ON o.id = p.order_id"
        " WHERE l.status = 'pending' GROUP BY l.kind, o.currency",
        labels=("kind", "currency"),
        always=tuple((kind, "EUR") for (kind,) in _KINDS),
    ),
    Gauge(
        "orders_ledger_overdue",
        "Ledger rows that a provider has not answered for 15 minutes.",
        "SELECT kind, count(*) AS value FROM ledger WHERE status = 'pending'"
        " AND created_at < now() - interval '15 minutes' GROUP BY kind",
        labels=("kind",),
        always=_KINDS,
    ),
    Gauge(
        "orders_disputes_open",
        "Disputes that the bank has not decided.",
        "SELECT status, count(*) AS value FROM disputes"
        " WHERE status = ANY(ARRAY['needs_response', 'under_review',"
        " 'warning_needs_response', 'warning_under_review']) GROUP BY status",
        labels=("status",),
        always=tuple((status.value,) for status in DisputeStatus if status.undecided),
    ),
    Gauge(
        "orders_authorizations_ending",
        "Authorisations of live orders that end within 12 h and were not renewed.",
        "SELECT count(*) AS value FROM orders o JOIN payments p ON p.order_id = o.id"
        " WHERE o.status IN ('placed', 'confirmed')"
        " AND p.authorized > p.captured + p.capturing + p.released"
        " AND p.capture_before < now() + interval '12 hours'",
    ),
)
