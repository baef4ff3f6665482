"""Nudges workflows: facts may have changed, look again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.contracts.base import Payload
from shared.contracts.orders.names import (
    ORDERS,
    allocation_workflow_id,
    export_workflow_id,
    order_workflow_id,
    refund_workflow_id,
    return_workflow_id,
)
from shared.contracts.orders.payloads import (
    ExportRef,
    OrderRef,
    RefundRef,
    ReturnRef,
    StockRef,
)
from shared.contracts.orders.states import RefundReason
from shared.contracts.orders.workflows import (
    AllocateStock,
    Export,
    Order,
    Refund,
    Return,
)
from shared.contracts.search_attributes import ORDER_ID
from shared.platform.connection import CurrentClient
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError, RPCStatusCode


class Nudger:
    """Repeating a nudge is harmless. A missing workflow is ignored: the sweep starts it
    again if its order needs it."""

    def __init__(self, client: CurrentClient) -> None:
        self._current = client

    @property
    def client(self) -> Client:
        return self._current()

    async def order(self, order_id: str) -> None:
        handle = self.client.get_workflow_handle(order_workflow_id(order_id))
        with _unless_gone():
            await handle.signal(Order.nudge)

    async def refund(self, refund_id: str) -> None:
        handle = self.client.get_workflow_handle(refund_workflow_id(refund_id))
        with _unless_gone():
            await handle.signal(Refund.nudge)

    async def return_(self, return_id: str) -> None:
        handle = self.client.get_workflow_handle(return_workflow_id(return_id))
        with _unless_gone():
            await handle.signal(Return.nudge)

    # ── starting, where it does not run ─────────────────────────────────────────

    async def start_order(self, order_id: str) -> None:
        await self._start(
            Order.run,
            OrderRef(order_id=order_id),
            order_workflow_id(order_id),
            order_id,
        )

    async def start_refund(self, ref: RefundRef) -> None:
        await self._start(
            Refund.run, ref, refund_workflow_id(ref.refund_id), ref.order_id
        )

    async def start_return(self, ref: ReturnRef) -> None:
        await self._start(
            Return.run, ref, return_workflow_id(ref.return_id), ref.order_id
        )

    async def start_export(self, ref: ExportRef) -> None:
        await self._start(Export.run, ref, export_workflow_id(ref.export_id))

    async def start_allocation(self, sku: str) -> None:
        """Start the allocation of free stock to waiting orders."""
        workflow_id = allocation_workflow_id(sku)
        await self._start(
            AllocateStock.run, StockRef(sku=sku), workflow_id, start_signal="received"
        )

    async def revive_refund(self, reason: str, ref: RefundRef) -> None:
        if RefundReason(reason).run_by_order:
            await self.start_order(ref.order_id)
        else:
            await self.start_refund(ref)
        await self.whoever_refunds(reason, ref)

    async def whoever_refunds(self, reason: str, ref: RefundRef) -> None:
        if RefundReason(reason).run_by_order:
            await self.order(ref.order_id)
        else:
            await self.refund(ref.refund_id)

    async def _start(
        self,
        run: Any,
        ref: Payload,
        workflow_id: str,
        order_id: str | None = None,
        **more: Any,
    ) -> None:
        known = [] if order_id is None else [SearchAttributePair(ORDER_ID, order_id)]
        await self.client.start_workflow(
            run,
            ref,
            id=workflow_id,
            task_queue=ORDERS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=TypedSearchAttributes(known),
            **more,
        )


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
