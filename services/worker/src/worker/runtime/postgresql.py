"""Gauges from PostgreSQL's own statistics of our database, as far as any role may read
them."""

from worker.runtime.gauges import Gauge


def _of_database(name: str, help: str, column: str) -> Gauge:
    return Gauge(
        name,
        help,
        f"SELECT {column} AS value FROM pg_stat_database"  # noqa: S608 - our own
        " WHERE datname = current_database()",
        kind="counter",
    )


POSTGRESQL = (
    Gauge(
        "postgresql_backends",
        "Connections to our database, of whomever.",
        "SELECT numbackends AS value FROM pg_stat_database"
        " WHERE datname = current_database()",
    ),
    Gauge(
        "postgresql_max_connections",
        "Connections that the server accepts, over all databases.",
        "SELECT setting AS value FROM pg_settings WHERE name = 'max_connections'",
    ),
    Gauge(
        "postgresql_database_size_bytes",
        "Size of our database on disk.",
        "SELECT pg_database_size(current_database()) AS value",
    ),
    Gauge(
        "postgresql_oldest_transaction_seconds",
        "Age of the oldest open transaction of our role.",
        "SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0) AS value"
        " FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    ),
    _of_database("postgresql_commits", "Transactions committed.", "xact_commit"),
    _of_database("postgresql_rollbacks", "Transactions rolled back.", "xact_rollback"),
    _of_database("postgresql_deadlocks", "Deadlocks that were broken.", "deadlocks"),
    _of_database(
        "postgresql_blocks_hit", "Blocks that were found in memory.", "blks_hit"
    ),
    _of_database("postgresql_blocks_read", "Blocks that were fetched.", "blks_read"),
)
