"""What must hold after every test, whatever it was about."""

from collections.abc import Iterable

import asyncpg
from shared.contracts.orders.names import (
    order_workflow_id,
    refund_workflow_id,
    return_workflow_id,
)
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.shop import PERSONAL

AUDIT_VIEWS = ("audit_money", "audit_stock", "audit_ledger")


_STALE = """
SELECT id, payment_status, payment_status(o) AS is_paid,
  fulfillment_status, fulfillment_status(o) AS is_fulfilled
FROM orders o
WHERE (payment_status, fulfillment_status)
  IS DISTINCT FROM (payment_status(o), fulfillment_status(o))
"""


async def assert_books_balance(database_url: str) -> None:
    """Nor does any order stand otherwise than its stored statuses say."""
    connection = await asyncpg.connect(database_url)
    try:
        stale = await connection.fetch(_STALE)
        assert not stale, [dict(row) for row in stale]
        for view in AUDIT_VIEWS:
            wrong = await connection.fetch(f"SELECT * FROM {view}")
            assert not wrong, f"{view}: {[dict(row) for row in wrong]}"
    finally:
        await connection.close()


async def assert_no_personal_data(database_url: str, client: Client) -> None:
    """In no history of any workflow that served an order of this database."""
    for workflow_id in await _workflow_ids(database_url):
        found = personal_data_in(await _history(client, workflow_id))
        assert not found, f"{workflow_id} knows {found}"


def personal_data_in(events: Iterable[HistoryEvent]) -> set[str]:
    words = {word for value in PERSONAL.values() for word in value.split()}
    # Shorter ones turn up by chance.
    telling = {word for word in words if len(word) > 6}
    raw = [event.SerializeToString() for event in events]
    return {word for word in telling if any(word.encode() in event for event in raw)}


async def _workflow_ids(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    try:
        return [
            name(row["id"])
            for table, name in (
                ("orders", order_workflow_id),
                ("refunds", refund_workflow_id),
                ("returns", return_workflow_id),
            )
            for row in await connection.fetch(f"SELECT id FROM {table}")
        ]
    finally:
        await connection.close()


async def _history(client: Client, workflow_id: str) -> Iterable[HistoryEvent]:
    try:
        history = await client.get_workflow_handle(workflow_id).fetch_history()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return []
    return history.events
