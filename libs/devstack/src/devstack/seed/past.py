"""Dates finished orders back, so that the shop has a past: the only data of a seeded
shop that did not happen as it says."""

import asyncio
from collections.abc import Sequence

import asyncpg

from devstack.seed.shop import PATIENCE_SECONDS, SeedFailed

_OF = {
    "orders": ("t.id", ("created_at", "updated_at")),
    "events": ("t.subject", ("at",)),
    "notes": ("t.subject", ("at",)),
    "messages": ("t.subject", ("created_at", "due_at", "sent_at")),
    "holds": ("t.root", ("placed_at", "remind_at", "due_at", "released_at")),
    "stock_movements": ("t.ref", ("at",)),
    "payments": ("t.order_id", ("created_at", "capture_before")),
    "shipments": (
        "t.order_id",
        ("created_at", "captured_at", "shipped_at", "delivered_at", "tracking_at"),
    ),
    "returns": ("t.order_id", ("created_at",)),
    "refunds": ("t.order_id", ("created_at",)),
    "ledger": (
        "(SELECT order_id FROM payments WHERE id = t.payment_id)",
        ("created_at", "sent_at", "settled_at"),
    ),
}
"""By table: whose a row is, and the times in it."""

_PAST = """
CREATE TEMPORARY TABLE past ON COMMIT DROP AS
SELECT o.id, o.created_at AS was,
  date_trunc('minute', now()) - interval '60 days' * (1 - n.nr::float8 / $2)
    - interval '5 days' AS began,
  interval '3 days' / greatest(1, extract(epoch FROM o.updated_at - o.created_at))
    AS of_a_second
FROM unnest($1::text[]) WITH ORDINALITY AS n (ref, nr)
JOIN orders o ON o.external_ref = n.ref
WHERE o.created_at > now() - interval '1 day'
"""
"""Stretches each second to days, within the last two months."""


_AT_WORK = """
SELECT external_ref FROM orders
WHERE external_ref = ANY($1) AND status NOT IN ('completed', 'cancelled')
"""


async def date_back(database_url: str, refs: Sequence[str]) -> None:
    """The orders of these references, the first the longest ago, once all of them are
    over. Safe to repeat. Raises `SeedFailed`."""
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        await _until_over(connection, refs)
        async with connection.transaction():
            await connection.execute(_PAST, list(refs), len(refs))
            for table, (whose, columns) in _OF.items():
                await connection.execute(_shifted(table, whose, columns))
    finally:
        await connection.close()


async def _until_over(
    connection: "asyncpg.Connection[asyncpg.Record]", refs: Sequence[str]
) -> None:
    left = ""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Another process has no event to wait for, it can only be asked.
            while left := await connection.fetchval(_AT_WORK, list(refs)):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise SeedFailed(f"{left} never came to its end") from None


def _shifted(table: str, whose: str, columns: Sequence[str]) -> str:
    moved = ", ".join(
        f"{column} = p.began"
        f" + extract(epoch FROM t.{column} - p.was)::float8 * p.of_a_second"
        for column in columns
    )
    return f"UPDATE {table} t SET {moved} FROM past p WHERE {whose} = p.id"
