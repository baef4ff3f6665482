"""Gauges of the feed and its webhooks.

The deliverer counts attempts itself; these are read from the database, so they are
there while it is down.
"""

from worker.runtime.gauges import Gauge

GAUGES = (
    Gauge(
        "feed_lag_seconds",
        "How long events wait in the feed for an older transaction that is open.",
        """
        SELECT coalesce(extract(epoch FROM now() - (
          SELECT at FROM events WHERE transaction_id >=
            cast(cast(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
          ORDER BY transaction_id, id LIMIT 1)), 0) AS value
        """,
    ),
    Gauge(
        "webhook_endpoints",
        "Addresses of other systems that hear of events.",
        "SELECT status, count(*) AS value FROM webhook_endpoints GROUP BY status",
        labels=("status",),
        always=(("enabled",), ("disabled",), ("failed",)),
    ),
    Gauge(
        "webhook_oldest_undelivered_seconds",
        "How old the oldest event is that an enabled endpoint has not received.",
        """
        SELECT e.id AS endpoint, coalesce(extract(epoch FROM now() - least(
          (SELECT min(v.at) FROM webhook_deliveries d JOIN events v ON v.id = d.event_id
           WHERE d.endpoint = e.id AND d.status <> 'succeeded'
             AND d.status = 'pending'),
          (SELECT n.at FROM events n
           WHERE (n.transaction_id, n.id) > (e.transaction_id, e.event_id)
           ORDER BY n.transaction_id, n.id LIMIT 1))), 0) AS value
        FROM webhook_endpoints e WHERE e.status = 'enabled'
        """,
        labels=("endpoint",),
    ),
    Gauge(
        "webhook_deliveries_given_up",
        "Deliveries that were given up within a day.",
        "SELECT e.id AS endpoint, (SELECT count(*) FROM webhook_deliveries d"
        " WHERE d.endpoint = e.id AND d.status <> 'succeeded' AND d.status = 'failed'"
        " AND d.event_id > 0 AND d.last_attempt_at > now() - interval '1 day') AS value"
        " FROM webhook_endpoints e",
        labels=("endpoint",),
    ),
)
