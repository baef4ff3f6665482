"""The state of the business in gauges, each by a partial index: what has ended costs
nothing. Counters of what happened are in `shared.database.orders.metrics`.
"""

from shared.contracts.orders.states import HoldReason, MoneyKind, OrderStatus

from worker.runtime.gauges import Gauge

_REASONS = tuple((reason.value,) for reason in HoldReason)
_KINDS = tuple((kind.value,) for kind in MoneyKind)
_SOURCES = (("carrier",), ("easypost",), ("stripe",))
_DISCREPANCIES = (
    *(("payment-missing",), ("payment-unknown",)),
    *(("money-differs",), ("stock-promised-twice",)),
)
_AUDIT_VIEWS = (("audit_ledger",), ("audit_money",), ("audit_stock",))

GAUGES = (
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
        "SELECT count(*) AS value FROM orders WHERE status = 'placed' AND version = 1"
        " AND created_at < now() - interval '2 minutes'",
    ),
    Gauge(
        "orders_holds_open",
        "Holds that wait for a person.",
        "SELECT reason, count(*) AS value FROM holds WHERE released_at IS NULL"
        " GROUP BY reason",
        labels=("reason",),
        always=_REASONS,
    ),
    Gauge(
        "orders_holds_overdue",
        "Holds that are open after they were due.",
        "SELECT reason, count(*) AS value FROM holds"
        " WHERE released_at IS NULL AND due_at < now() GROUP BY reason",
        labels=("reason",),
        always=_REASONS,
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
        "orders_authorizations_ending",
        "Authorisations of live orders that end within 12 h and were not renewed.",
        "SELECT count(*) AS value FROM orders o JOIN payments p ON p.order_id = o.id"
        " WHERE o.status IN ('placed', 'confirmed')"
        " AND p.authorized > p.captured + p.capturing + p.released"
        " AND p.capture_before < now() + interval '12 hours'",
    ),
    Gauge(
        "orders_inbox_open",
        "Webhooks that are not worked off.",
        "SELECT source, count(*) AS value FROM inbox WHERE processed_at IS NULL"
        " GROUP BY source",
        labels=("source",),
        always=_SOURCES,
    ),
    Gauge(
        "orders_inbox_unmatched",
        "Webhooks about something that is not known here.",
        "SELECT source, count(*) AS value FROM inbox"
        " WHERE processed_at IS NULL AND error = 'unmatched' GROUP BY source",
        labels=("source",),
        always=_SOURCES,
    ),
    Gauge(
        "orders_messages_open",
        "Messages to customers that are not sent.",
        "SELECT count(*) AS value FROM messages WHERE status = 'open'",
    ),
    Gauge(
        "orders_discrepancies_open",
        "Differences from the providers' books that nobody has resolved.",
        "SELECT kind, count(*) AS value FROM discrepancies WHERE resolved_at IS NULL"
        " AND left(kind, 6) <> 'audit_' GROUP BY kind",
        labels=("kind",),
        always=_DISCREPANCIES,
    ),
    Gauge(
        "orders_audit_rows",
        # The views themselves read every order; the sweep does so, and writes it down.
        "Rows of the audit views that the last sweep found and nobody has resolved.",
        "SELECT kind AS view, count(*) AS value FROM discrepancies"
        " WHERE resolved_at IS NULL AND left(kind, 6) = 'audit_' GROUP BY kind",
        labels=("view",),
        always=_AUDIT_VIEWS,
    ),
)
