"""What is found when a run is over: by us, by the provider, the carrier, and Temporal.

Read past every proxy and, but for `waiting`, past the product's own words.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
from devstack.services import Addresses
from shared.contracts.orders.names import order_workflow_id
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from tests.faults.people import COME_AGAIN
from tests.faults.plan import Json

Row = Mapping[str, Any]
Rows = Sequence[Row]

TABLES = {
    "orders": "SELECT id, external_ref, status, version FROM orders",
    "lines": "SELECT order_id, line, sku, qty, reserved, shipped FROM order_lines",
    "parcels": "SELECT l.sku, p.qty FROM shipments s"
    " JOIN shipment_lines p ON p.shipment_id = s.id"
    " JOIN order_lines l ON l.order_id = p.order_id AND l.line = p.line"
    " WHERE s.shipped_at IS NOT NULL",
    "shipments": "SELECT id, order_id, status, label_ref, tracking, amount,"
    " shipped_at, capture_id FROM shipments",
    "returns": "SELECT id, order_id, status, label_ref FROM returns",
    "payments": "SELECT id, order_id, provider_ref, authorized, capturing, captured,"
    " released, refunding, refunded, next_action IS NOT NULL AS asks_customer"
    " FROM payments",
    "ledger": "SELECT id, payment_id, kind, amount, status, ref, provider_ref,"
    " settled_at FROM ledger",
    "holds": "SELECT subject, root, reason FROM holds WHERE released_at IS NULL",
    "movements": "SELECT sku, on_hand, reserved, reason, ref, actor"
    " FROM stock_movements",
    "stock": "SELECT sku, location, on_hand, reserved FROM stock",
    "events": "SELECT subject, seq, type, data::text AS data FROM events"
    " ORDER BY subject, seq",
    "messages": "SELECT m.subject, m.seq, m.type, m.status, m.attempts,"
    " m.due_at < now() - interval '30 seconds' AS overdue FROM messages m",
    "inbox": "SELECT source, event_id, type, error FROM inbox"
    " WHERE processed_at IS NULL AND due_at < now() - interval '30 seconds'",
    "audits": "SELECT 'audit_money' AS view, id AS subject FROM audit_money"
    " UNION ALL SELECT 'audit_ledger', id FROM audit_ledger"
    " UNION ALL SELECT 'audit_stock', sku FROM audit_stock",
    "discrepancies": "SELECT kind, subject, detail::text AS detail FROM discrepancies"
    " WHERE resolved_at IS NULL",
}


@dataclass(frozen=True)
class Evidence:
    # Orders whose placement was answered, by external reference; and all references
    # used.
    answered: Mapping[str, str]
    tables: Mapping[str, Rows]
    # By the payment provider's and the carrier's own books.
    charges: Rows
    labels: Rows
    mails: Rows
    # Of orders with work left: what `GET /v1/orders/{id}/process` says.
    waiting: Mapping[str, Json]
    # Of all orders: how often their workflow runs now, 0 or 1.
    running: Mapping[str, int]
    # What each receiver of webhooks has accepted, repeats included, in this order.
    heard: Mapping[str, Sequence[tuple[str, int]]]
    # Workflows that ended in another way than by their own decision.
    broken: Sequence[str]

    def __getitem__(self, table: str) -> Rows:
        return self.tables[table]


async def gather(
    answered: Mapping[str, str],
    at: Addresses,
    http: httpx2.AsyncClient,
    client: Client,
    heard: Mapping[str, Sequence[tuple[str, int]]],
) -> Evidence:
    tables = await _tables(at.database)
    open_orders = [order["id"] for order in tables["orders"] if is_open(order, tables)]
    return Evidence(
        answered=answered,
        tables=tables,
        charges=await _json(http, f"{at.payments}/_sim/books"),
        labels=await _json(http, f"{at.carrier}/_sim/books"),
        mails=await _json(http, f"{at.mail}/messages"),
        waiting={
            order: await _json(http, f"{at.api}/v1/orders/{order}/process")
            for order in open_orders
        },
        running={order: await _runs(client, order) for order in open_orders},
        heard=heard,
        broken=[
            f"{found.id} {found.status.name if found.status else '?'}"
            async for found in client.list_workflows(
                "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut', 'Canceled')"
            )
        ],
    )


def is_open(order: Row, tables: Mapping[str, Rows]) -> bool:
    """Not final; or final with something left that a workflow has to look after."""
    final = order["status"] in ("completed", "cancelled")
    held = any(
        payment["authorized"] > payment["captured"] + payment["released"]
        for payment in tables["payments"]
        if payment["order_id"] == order["id"]
    )
    away = any(
        shipment["status"] == "shipped"
        for shipment in tables["shipments"]
        if shipment["order_id"] == order["id"]
    )
    return not final or held or away


async def _tables(database: str) -> dict[str, Rows]:
    """All of one moment."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            return {
                name: [dict(row) for row in await connection.fetch(query)]
                for name, query in TABLES.items()
            }
    finally:
        await connection.close()


async def _json(http: httpx2.AsyncClient, url: str) -> Any:
    # As it says itself; no event tells when it may.
    # Half an hour of mails takes long to tell.
    while (answer := await http.get(url, timeout=60)).status_code in COME_AGAIN:  # noqa: ASYNC110
        await asyncio.sleep(float(answer.headers["retry-after"]))
    answer.raise_for_status()
    return answer.json()


async def _runs(client: Client, order_id: str) -> int:
    try:
        found = await client.get_workflow_handle(order_workflow_id(order_id)).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return 0
    return int(found.status is WorkflowExecutionStatus.RUNNING)
