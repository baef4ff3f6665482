"""Finds orders, returns and refunds that were missed, and gets them going again. Every
part is safe to repeat."""

import logging

from shared.contracts.orders.activities import SweepSteps
from shared.contracts.orders.payloads import (
    ExportRef,
    RefundRef,
    ReturnRef,
    Swept,
)
from shared.database.kernel.discrepancies import report
from shared.database.orders.audit import audit
from sqlalchemy import TextClause
from temporalio import activity

from worker.orders.nudger import Nudger
from worker.orders.store import OrderStore
from worker.orders.upkeep import unfinished

log = logging.getLogger(__name__)


class SweepActivities(SweepSteps):
    def __init__(self, store: OrderStore, nudger: Nudger) -> None:
        self._store = store
        self._nudger = nudger

    async def start_missing_orders(self) -> Swept:
        async with self._store.engine.connect() as connection:
            rows = await connection.execute(
                unfinished.OPEN_ORDERS, {"grace": unfinished.GRACE}
            )
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
        """Nudge workflows that run although their order is over."""
        for order_id in await self._ids(unfinished.LINGERING, running=sorted(running)):
            await self._nudger.order(order_id)

    async def start_missing_returns(self) -> Swept:
        found = 0
        for order_id, return_id in await self._missing(
            unfinished.OPEN_RETURNS, "Return"
        ):
            ref = ReturnRef(order_id=order_id, return_id=return_id)
            await self._nudger.start_return(ref)
            found += 1
        for order_id, refund_id in await self._missing(
            unfinished.OPEN_REFUNDS, "Refund"
        ):
            await self._nudger.start_refund(
                RefundRef(order_id=order_id, refund_id=refund_id)
            )
            found += 1
        for export_id, _ in await self._missing(unfinished.RUNNING_EXPORTS, "Export"):
            await self._nudger.start_export(ExportRef(export_id=export_id))
            found += 1
        if found:
            log.warning(
                "started returns, refunds and exports that had no workflow: %d", found
            )
        return Swept(found=found)

    async def _missing(self, wanted: TextClause, type: str) -> list[tuple[str, str]]:
        """Pairs of an order and its return or refund."""
        async with self._store.engine.connect() as connection:
            rows = await connection.execute(wanted, {"grace": unfinished.GRACE})
        running = await self._running(type)
        return [(row[0], row[1]) for row in rows if row[1] not in running]

    async def _running(self, type: str) -> set[str]:
        """Workflows that run by Temporal's visibility, which may lag. Starting one
        twice is harmless."""
        return {
            found.id.partition("/")[2]
            async for found in self._nudger.client.list_workflows(
                f"WorkflowType = '{type}' AND ExecutionStatus = 'Running'"
            )
        }

    async def nudge_overdue_orders(self) -> Swept:
        found = 0
        for wanted, nudge in (
            (unfinished.NEEDS_A_NUDGE, self._nudger.order),
            (unfinished.UNSENT, self._nudger.order),
            (unfinished.UNHEARD_ORDERS, self._nudger.order),
            (unfinished.UNHEARD_PARCELS, self._nudger.order),
            (unfinished.UNHEARD_RETURNS, self._nudger.return_),
            (unfinished.UNHEARD_REFUNDS, self._nudger.refund),
        ):
            for subject in await self._ids(wanted):
                await nudge(subject)
                activity.heartbeat(subject)
                found += 1
        return Swept(found=found)

    async def _ids(self, wanted: TextClause, **values: object) -> list[str]:
        async with self._store.engine.connect() as connection:
            found = await connection.scalars(
                wanted, {"grace": unfinished.GRACE} | values
            )
            return list(found)

    async def allocate_free_stock(self) -> Swept:
        async with self._store.engine.connect() as connection:
            skus = await connection.scalars(unfinished.ALLOCATABLE)
        for sku in skus:
            await self._nudger.start_allocation(sku)
        return Swept(found=len(skus))

    async def audit(self) -> Swept:
        async with self._store.engine.begin() as connection:
            found = await report(connection, "orders", await audit(connection))
        if found:
            log.error("the audit views are not empty: %d new discrepancies", found)
        return Swept(found=found)
