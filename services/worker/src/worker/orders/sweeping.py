"""Finds what was missed and sets it going again. Every part is safe to repeat."""

import logging
from datetime import timedelta

from shared.contracts.orders.activities import SweepSteps
from shared.contracts.orders.models import OrderRef, StockRef, Swept
from shared.contracts.orders.names import (
    ORDERS,
    allocation_workflow_id,
    order_workflow_id,
)
from shared.contracts.orders.workflows import AllocateStock, Order
from shared.contracts.search_attributes import ORDER_ID
from shared.database.kernel.discrepancies import report
from shared.database.orders.audit import audit
from sqlalchemy import text
from temporalio import activity
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)

from worker.orders.activities.stock import WAITS_FOR_STOCK
from worker.orders.activities.store import OrderStore
from worker.orders.nudging import Nudger

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=1)

# An order that was placed a moment ago is about to be started by the API itself.
OPEN_ORDERS = text(
    """
    SELECT o.id FROM orders o
    WHERE o.created_at < now() - cast(:grace AS interval)
      AND (o.status IN ('placed', 'confirmed')
        OR EXISTS (SELECT FROM payments p WHERE p.order_id = o.id
                   AND p.authorized > p.captured + p.released)
        OR EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id
                   AND r.reason = 'cancellation' AND r.status = 'pending'))
    """
)
"""Orders with work left, also after their end: money to give back."""

NEEDS_A_NUDGE = text(
    """
    SELECT DISTINCT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
    WHERE l.status = 'pending' AND l.created_at < now() - interval '15 minutes'
    UNION
    SELECT root FROM holds
    WHERE released_at IS NULL AND escalated_at IS NULL AND due_at < now()
    """
)

ALLOCATABLE = text(
    f"""
    SELECT DISTINCT l.sku FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE l.cancelled + l.reserved + l.shipped < l.qty AND {WAITS_FOR_STOCK}
      AND EXISTS (SELECT FROM stock s WHERE s.sku = l.sku AND s.on_hand > s.reserved)
    """  # noqa: S608 - our own condition
)


class SweepActivities(SweepSteps):
    def __init__(self, store: OrderStore, nudger: Nudger) -> None:
        self._store = store
        self._nudger = nudger

    @activity.defn(name="start_missing_orders")
    async def start_missing_orders(self) -> Swept:
        async with self._store.engine.connect() as connection:
            rows = await connection.execute(OPEN_ORDERS, {"grace": GRACE})
            wanted = {str(row.id) for row in rows}
        missing = wanted - await self._running()
        for order_id in sorted(missing):
            await start_order(self._nudger.client, order_id)
            activity.heartbeat(order_id)
        if missing:
            log.warning("started orders that had no workflow: %d", len(missing))
        return Swept(found=len(missing))

    async def _running(self) -> set[str]:
        """By Temporal's visibility, which may be a moment behind: an order that is
        started twice keeps its one workflow."""
        prefix = order_workflow_id("")
        return {
            found.id.removeprefix(prefix)
            async for found in self._nudger.client.list_workflows(
                "WorkflowType = 'Order' AND ExecutionStatus = 'Running'"
            )
        }

    @activity.defn(name="nudge_overdue_orders")
    async def nudge_overdue_orders(self) -> Swept:
        async with self._store.engine.connect() as connection:
            orders = (await connection.scalars(NEEDS_A_NUDGE)).all()
        for order_id in orders:
            await self._nudger.order(order_id)
        return Swept(found=len(orders))

    @activity.defn(name="allocate_free_stock")
    async def allocate_free_stock(self) -> Swept:
        async with self._store.engine.connect() as connection:
            skus = (await connection.scalars(ALLOCATABLE)).all()
        for sku in skus:
            await start_allocation(self._nudger.client, sku)
        return Swept(found=len(skus))

    @activity.defn(name="audit")
    async def audit(self) -> Swept:
        async with self._store.engine.begin() as connection:
            found = await report(connection, await audit(connection))
        if found:
            log.error("the audit views are not empty: %d new discrepancies", found)
        return Swept(found=found)


async def start_order(client: Client, order_id: str) -> None:
    """Start an order's workflow unless it is running. Safe to repeat."""
    await client.start_workflow(
        Order.run,
        OrderRef(order_id=order_id),
        id=order_workflow_id(order_id),
        task_queue=ORDERS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(ORDER_ID, order_id)]
        ),
    )


async def start_allocation(client: Client, sku: str) -> None:
    """Have free stock given to the orders that wait for it. Safe to repeat."""
    await client.start_workflow(
        AllocateStock.run,
        StockRef(sku=sku),
        id=allocation_workflow_id(sku),
        task_queue=ORDERS,
        start_signal="received",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
