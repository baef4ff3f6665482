"""Finds what was missed and sets it going again. Every part is safe to repeat."""

import logging
from datetime import timedelta

from shared.contracts.orders.activities import SweepSteps
from shared.contracts.orders.models import RefundRef, ReturnRef, StockRef, Swept
from shared.contracts.orders.names import ORDERS, allocation_workflow_id
from shared.contracts.orders.workflows import AllocateStock
from shared.database.kernel.discrepancies import report
from shared.database.orders.audit import audit
from sqlalchemy import TextClause, text
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from worker.orders.activities.stock import WAITS_FOR_STOCK
from worker.orders.activities.store import OrderStore
from worker.orders.nudging import Nudger

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=1)

# An order that was placed a moment ago is about to be started by the API itself.
OPEN_ORDERS = text(
    """
    SELECT o.id FROM orders o JOIN (
      SELECT id FROM orders WHERE status IN ('placed', 'confirmed')
      UNION
      SELECT order_id FROM payments WHERE authorized > captured + released
      UNION
      SELECT order_id FROM shipments
      WHERE status = 'shipped' OR status = 'cancelled' AND label_ref IS NOT NULL
      UNION
      SELECT root FROM holds WHERE released_at IS NULL AND subject !~ '^(ref|ret)_'
      UNION
      SELECT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
      JOIN refunds r ON r.id = l.ref AND r.reason = 'cancellation'
      WHERE l.kind = 'refund' AND l.status = 'pending'
    ) unfinished ON unfinished.id = o.id
    WHERE o.created_at < now() - cast(:grace AS interval)
    """
)
"""Orders with work left, also after their end: money to give back, a parcel that left
all the same, a label to give back, a question to somebody."""

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
"""A cancellation's refund is run by its order, a return's by its return."""

NEEDS_A_NUDGE = text(
    """
    SELECT DISTINCT p.order_id FROM ledger l JOIN payments p ON p.id = l.payment_id
    WHERE l.status = 'pending' AND l.created_at < now() - interval '15 minutes'
    UNION
    SELECT root FROM holds
    WHERE released_at IS NULL AND escalated_at IS NULL AND due_at < now()
    """
)

_AT_REST = """
    o.updated_at < now() - cast(:grace AS interval)
    AND NOT EXISTS (SELECT FROM holds h WHERE h.root = o.id AND h.released_at IS NULL)
    AND NOT EXISTS (SELECT FROM payments p JOIN ledger l ON l.payment_id = p.id
                    WHERE p.order_id = o.id AND l.status = 'pending')
"""
"""Nothing happens to the order, and nobody is asked. With work left, that is a command
which was carried out unheard: its facts were committed, and then server or worker died
with the task that would have gone on (docs/adr/0042)."""

UNHEARD_ORDERS = text(
    f"""
    SELECT o.id FROM orders o JOIN (
      SELECT id FROM orders WHERE status = 'placed' AND NOT EXISTS
        (SELECT FROM order_lines l WHERE l.order_id = orders.id
           AND l.cancelled + l.reserved + l.shipped < l.qty)
      UNION
      SELECT order_id FROM payments WHERE authorized > captured + released
    ) unfinished ON unfinished.id = o.id
    WHERE o.status <> 'confirmed' AND {_AT_REST}
    """  # noqa: S608 - our own condition
)
"""All is reserved and may be confirmed, or money is to be given back."""

LINGERING = text(
    """
    SELECT id FROM orders
    WHERE id = ANY(:running) AND status IN ('completed', 'cancelled')
      AND updated_at < now() - cast(:grace AS interval)
    """
)
"""Over and done by the facts, among those whose workflow runs without work left."""

UNHEARD_PARCELS = text(
    f"""
    SELECT s.id FROM shipments s JOIN orders o ON o.id = s.order_id
    WHERE (s.status = 'ready' AND s.parcel IS NOT NULL
           OR s.status = 'cancelled' AND s.label_ref IS NOT NULL) AND {_AT_REST}
    """  # noqa: S608 - our own condition
)
"""Picked, and to be paid and labelled; or a label is to be given back."""

UNHEARD_RETURNS = text(
    f"""
    SELECT t.id FROM returns t JOIN orders o ON o.id = t.order_id
    WHERE t.status = 'approved' AND t.due_at IS NULL AND {_AT_REST}
    UNION
    SELECT t.id FROM returns t JOIN orders o ON o.id = t.order_id
    WHERE t.status = 'received' AND o.updated_at < now() - interval '15 minutes'
      AND NOT EXISTS
        (SELECT FROM holds h WHERE h.root = o.id AND h.released_at IS NULL)
    """  # noqa: S608 - our own condition
)
"""A label is to be bought, or the refund takes long."""

UNHEARD_REFUNDS = text(
    """
    SELECT DISTINCT l.ref FROM ledger l
    WHERE l.kind = 'refund' AND l.status = 'pending'
      AND l.created_at < now() - interval '15 minutes'
      AND NOT EXISTS
        (SELECT FROM holds h WHERE h.subject = l.ref AND h.released_at IS NULL)
    """
)
"""Nobody has to decide about it, and it takes long."""

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
        running = await self._running("Order")
        missing = wanted - running
        for order_id in sorted(missing):
            await self._nudger.start_order(order_id)
            activity.heartbeat(order_id)
        await self._end(running - wanted)
        if missing:
            log.warning("started orders that had no workflow: %d", len(missing))
        return Swept(found=len(missing))

    async def _end(self, running: set[str]) -> None:
        """Wake those that have not heard that they are over."""
        for order_id in await self._ids(LINGERING, running=sorted(running)):
            await self._nudge_order_and_parcels(order_id)

    @activity.defn(name="start_missing_returns")
    async def start_missing_returns(self) -> Swept:
        found = 0
        for order_id, return_id in await self._missing(OPEN_RETURNS, "Return"):
            ref = ReturnRef(order_id=order_id, return_id=return_id)
            await self._nudger.start_return(ref)
            found += 1
        for order_id, refund_id in await self._missing(OPEN_REFUNDS, "Refund"):
            await self._nudger.start_refund(
                RefundRef(order_id=order_id, refund_id=refund_id)
            )
            found += 1
        if found:
            log.warning("started returns and refunds that had no workflow: %d", found)
        return Swept(found=found)

    async def _missing(self, wanted: TextClause, type: str) -> list[tuple[str, str]]:
        """Pairs of an order and its return or refund."""
        async with self._store.engine.connect() as connection:
            rows = (await connection.execute(wanted, {"grace": GRACE})).all()
        running = await self._running(type)
        return [(row[0], row[1]) for row in rows if row[1] not in running]

    async def _running(self, type: str) -> set[str]:
        """By Temporal's visibility, which may be a moment behind: what is started
        twice keeps its one workflow."""
        return {
            found.id.partition("/")[2]
            async for found in self._nudger.client.list_workflows(
                f"WorkflowType = '{type}' AND ExecutionStatus = 'Running'"
            )
        }

    @activity.defn(name="nudge_overdue_orders")
    async def nudge_overdue_orders(self) -> Swept:
        found = 0
        for wanted, nudge in (
            (NEEDS_A_NUDGE, self._nudger.order),
            (UNHEARD_ORDERS, self._nudge_order_and_parcels),
            (UNHEARD_PARCELS, self._nudger.shipment),
            (UNHEARD_RETURNS, self._nudger.return_),
            (UNHEARD_REFUNDS, self._nudger.refund),
        ):
            for subject in await self._ids(wanted):
                await nudge(subject)
                activity.heartbeat(subject)
                found += 1
        return Swept(found=found)

    async def _ids(self, wanted: TextClause, **values: object) -> list[str]:
        async with self._store.engine.connect() as connection:
            found = await connection.scalars(wanted, {"grace": GRACE} | values)
            return list(found)

    async def _nudge_order_and_parcels(self, order_id: str) -> None:
        """A parcel's workflow does not hear from its order that it is cancelled."""
        await self._nudger.order(order_id)
        for parcel in (await self._store.read(order_id)).shipments:
            await self._nudger.shipment(parcel.id)

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
