"""A database with history: copies of an order that was really played, by SQL, so that
100,000 of them take a minute. The audit views stay empty."""

import asyncpg

# A copy's ids are digits, which real ids never are, and sort before all real ones.
_COPY = "lpad(n::text, 26, '0')"
_TABLES: dict[str, dict[str, str]] = {
    "orders": {
        "id": "'ord_' || copy",
        "created_at": "created_at - n * interval '7 seconds'",
        "updated_at": "updated_at - n * interval '7 seconds'",
        "external_ref": "NULL",
        "customer": "'customer-' || n / 5",
    },
    "order_lines": {
        "order_id": "'ord_' || copy",
        "ordered_at": "ordered_at - n * interval '7 seconds'",
    },
    "reservations": {"order_id": "'ord_' || copy"},
    "contacts": {"order_id": "'ord_' || copy"},
    "payments": {
        "id": "'pay_' || copy",
        "order_id": "'ord_' || copy",
        "provider_ref": "provider_ref || '-' || n",
    },
    "ledger": {
        "id": "'led_' || copy || kind",
        "payment_id": "'pay_' || copy",
        "ref": "CASE kind WHEN 'authorize' THEN 'ord_' ELSE 'shp_' END || copy",
        "provider_ref": "provider_ref || '-' || n",
    },
    "shipments": {
        "id": "'shp_' || copy",
        "order_id": "'ord_' || copy",
        "capture_id": "CASE WHEN capture_id IS NOT NULL"
        " THEN 'led_' || copy || 'capture' END",
        "tracking": "tracking || '-' || n",
        "ordered_at": "ordered_at - n * interval '7 seconds'",
        "created_at": "created_at - n * interval '7 seconds'",
    },
    "shipment_lines": {"shipment_id": "'shp_' || copy", "order_id": "'ord_' || copy"},
    "events": {"subject": "'ord_' || copy"},
    "messages": {"subject": "'ord_' || copy"},
    "applied": {
        "key": "replace(key, subject, 'ord_' || copy)",
        "subject": "'ord_' || copy",
    },
    "stock_movements": {
        "key": "key || '-' || n",
        "ref": "'ord_' || copy",
    },
}
"""In the order of their foreign keys: what differs in a copy."""

_GENERATED = {("orders", "number"), ("events", "id")}
_OF_ORDER = {
    "orders": "id = $1",
    "ledger": "payment_id IN (SELECT id FROM payments WHERE order_id = $1)",
    "events": "subject = $1",
    "messages": "subject = $1",
    "applied": "subject = $1",
    "stock_movements": "ref = $1",
}


async def copy_order(database_url: str, order_id: str, first: int, last: int) -> None:
    """Copies numbered `first` to `last` of an order, whatever its state."""
    connection = await asyncpg.connect(database_url, command_timeout=600)
    try:
        async with connection.transaction():
            for table, changed in _TABLES.items():
                await connection.execute(
                    await _statement(connection, table, changed), order_id, first, last
                )
            await connection.execute(_STOCK, order_id, last - first + 1)
        # As autovacuum would have in the time that so many orders take.
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _statement(
    connection: "asyncpg.Connection[asyncpg.Record]",
    table: str,
    changed: dict[str, str],
) -> str:
    rows = await connection.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1",
        table,
    )
    columns = [row[0] for row in rows if (table, row[0]) not in _GENERATED]
    values = [changed.get(column, f"t.{column}") for column in columns]
    where = _OF_ORDER.get(table, "order_id = $1")
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM generate_series($2::int, $3::int) AS n,"
        f" LATERAL (SELECT {_COPY} AS copy) c, {table} t WHERE t.{where}"
    )


_STOCK = """
UPDATE stock SET on_hand = stock.on_hand + m.on_hand * $2,
  reserved = stock.reserved + m.reserved * $2
FROM (SELECT sku, location, sum(on_hand) AS on_hand, sum(reserved) AS reserved
      FROM stock_movements WHERE ref = $1 GROUP BY sku, location) m
WHERE stock.sku = m.sku AND stock.location = m.location
"""
